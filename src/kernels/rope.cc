#include "kernels/rope.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/rope.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <cmath>

#include "base/check.h"
#include "base/system/thread_pool.h"
#include "kernels/simd/lanes-inl.h"

HWY_BEFORE_NAMESPACE();
namespace dunnock::HWY_NAMESPACE {

void RopeRow(float* x, size_t cols, const float* cos_sin, size_t half) {
  const float *const cos = cos_sin, *const sin = cos_sin + half;
  for (float* head = x; head < x + cols; head += 2 * half) {
    for (size_t i = 0; i < half; i += 16) {
      const size_t n = half - i;
      const FloatLanes c = LoadFirst(cos + i, n), s = LoadFirst(sin + i, n);
      const FloatLanes a = LoadFirst(head + i, n), b = LoadFirst(head + half + i, n);
      StoreFirst(Sub(Mul(a, c), Mul(b, s)), head + i, n);
      StoreFirst(Add(Mul(b, c), Mul(a, s)), head + half + i, n);
    }
  }
}

}  // namespace dunnock::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace dunnock {

HWY_EXPORT(RopeRow);

namespace {

// Cosine and sine in float64 for angles below 2^20: reduced by multiples of pi / 2 held in two
// parts, then Taylor series; good to about 1e-15, far finer than the float32 they are rounded to.
struct CosSin {
  double cos, sin;
};
CosSin CosSinOf(double angle) {
  constexpr double kHalfPiHigh = 0x1.921fb544p+0;       // 33 bits: products with 20 bits are exact
  constexpr double kHalfPiLow = 0x1.0b4611a626331p-34;  // pi / 2 - kHalfPiHigh
  const double turns = std::floor(angle / (kHalfPiHigh + kHalfPiLow) + 0.5);
  const double r = (angle - turns * kHalfPiHigh) - turns * kHalfPiLow;
  const double square = r * r;
  double cos = 0.0, sin = 0.0;
#pragma GCC unroll 9
  for (int k = 18; k >= 2; k -= 2) {  // no division is left of these constants
    cos = (1.0 + cos) * square * (-1.0 / (k * (k - 1.0)));
    sin = (1.0 + sin) * square * (-1.0 / (k * (k + 1.0)));
  }
  cos = 1.0 + cos;
  sin = r * (1.0 + sin);
  switch (static_cast<int64_t>(turns) & 3) {
    case 0:
      return {cos, sin};
    case 1:
      return {-sin, cos};
    case 2:
      return {-cos, -sin};
    default:
      return {sin, -cos};
  }
}

// base^exponent in float64 for base > 0 and results far from the limits, good to about 1e-14. Basic
// operations only: no two systems' pow need agree to the last bit.
double PowerOf(double base, double exponent) {
  constexpr double kLn2High = 0x1.62e42fefp-1;  // 33 bits: products with small integers are exact
  constexpr double kLn2Low = 0x1.473de6af278edp-34;
  // ln base = twos * ln 2 + 2 atanh((m - 1) / (m + 1)), m within a square root of two of 1.
  int twos = 0;
  double m = std::frexp(base, &twos);
  if (m < 0.70710678118654752) {
    m *= 2;
    --twos;
  }
  const double s = (m - 1) / (m + 1), square = s * s;
  double series = 0.0;
  for (int k = 25; k >= 1; k -= 2) series = series * square + 1.0 / k;
  const double y = exponent * (twos * kLn2High + (twos * kLn2Low + 2 * s * series));
  // e^y = 2^n * e^r with |r| <= ln 2 / 2.
  const double n = std::floor(y / (kLn2High + kLn2Low) + 0.5);
  const double r = (y - n * kLn2High) - n * kLn2Low;
  double power = 1.0;
  for (int k = 18; k >= 1; --k) power = 1.0 + power * r / k;
  return std::ldexp(power, static_cast<int>(n));
}

}  // namespace

RopeFrequencies::RopeFrequencies(double theta, size_t head_dim) : frequencies_(head_dim / 2) {
  DUNNOCK_CHECK(head_dim % 2 == 0 && head_dim > 0);
  for (size_t i = 0; i < frequencies_.size(); ++i) {
    const double exponent = static_cast<double>(2 * i) / static_cast<double>(head_dim);
    frequencies_[i] = 1.0f / static_cast<float>(PowerOf(theta, exponent));
  }
}

void RopeFrequencies::CosSin(Rows out, std::span<const uint32_t> positions) const {
  const size_t half = frequencies_.size();
  DUNNOCK_CHECK(out.count == positions.size() && out.cols == 2 * half);
  ThreadPool::Current().ParallelFor(out.count, 8, [&](size_t begin, size_t end) {
    for (size_t row = begin; row < end; ++row) {
      DUNNOCK_CHECK(positions[row] < 1u << 20);
      for (size_t i = 0; i < half; ++i) {
        const float angle = static_cast<float>(positions[row]) * frequencies_[i];
        const auto [cos, sin] = CosSinOf(static_cast<double>(angle));
        out[row][i] = static_cast<float>(cos);
        out[row][half + i] = static_cast<float>(sin);
      }
    }
  });
}

void Rope(Rows x, ConstRows cos_sin) {
  DUNNOCK_CHECK(cos_sin.count == x.count && x.cols % cos_sin.cols == 0);
  ThreadPool::Current().ParallelFor(x.count, 8, [&](size_t begin, size_t end) {
    for (size_t i = begin; i < end; ++i)
      HWY_DYNAMIC_DISPATCH(RopeRow)(x[i], x.cols, cos_sin[i], cos_sin.cols / 2);
  });
}

}  // namespace dunnock
#endif
