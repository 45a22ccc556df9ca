#include "kernels/norm.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/norm.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <algorithm>
#include <bit>
#include <cmath>

#include "base/check.h"
#include "base/system/thread_pool.h"
#include "kernels/simd/lanes-inl.h"
#include "kernels/simd/math-inl.h"
#include "kernels/simd/norm-inl.h"

HWY_BEFORE_NAMESPACE();
namespace dunnock::HWY_NAMESPACE {

void RmsNormRows(float* out, const float* x, const float* weight, size_t count, size_t n,
                 float epsilon) {
  for (size_t i = 0; i < count; ++i) RmsNormRow(out + i * n, x + i * n, weight, n, epsilon);
}

void LayerNormRow(float* out, const float* x, const float* weight, const float* bias, size_t n,
                  float epsilon) {
  FloatLanes sum = Set(0.0f);
  for (size_t i = 0; i < n; i += 16) sum = Add(sum, LoadFirst(x + i, n - i));
  const float mean = Sum(sum) / static_cast<float>(n);
  FloatLanes squares = Set(0.0f);
  for (size_t i = 0; i < n; i += 16) {
    FloatLanes v = Sub(LoadFirst(x + i, n - i), Set(mean));
    if (n - i < 16) {  // the lanes behind the end hold 0 - mean: clear them
      float lanes[16];
      Store(v, lanes);
      v = LoadFirst(lanes, n - i);
    }
    squares = Add(squares, Mul(v, v));
  }
  const float variance = Sum(squares) / static_cast<float>(n);
  const FloatLanes inverse = Set(1.0f / std::sqrt(variance + epsilon));
  for (size_t i = 0; i < n; i += 16) {
    const FloatLanes v = Mul(Sub(LoadFirst(x + i, n - i), Set(mean)), inverse);
    StoreFirst(Add(Mul(v, LoadFirst(weight + i, n - i)), LoadFirst(bias + i, n - i)), out + i,
               n - i);
  }
}

void L2NormalizeRow(float* x, size_t n) {
  const float length = std::sqrt(SumOfSquares(x, n));
  const FloatLanes divisor = Set(length < 1e-12f ? 1e-12f : length);
  for (size_t i = 0; i < n; i += 16)
    StoreFirst(Div(LoadFirst(x + i, n - i), divisor), x + i, n - i);
}

// Blocks first: only the one with the largest value is searched.
size_t ArgMaxOf(const float* x, size_t n) {
  constexpr size_t kBlock = 1024;
  float most = -INFINITY;
  size_t best = 0;
  for (size_t begin = 0; begin < n; begin += kBlock) {
    const size_t end = std::min(n, begin + kBlock), whole = begin + (end - begin) / 16 * 16;
    FloatLanes largest = Set(-INFINITY);
    for (size_t i = begin; i < whole; i += 16) largest = Max(largest, Load(x + i));
    float here = MaxOf(largest);
    for (size_t i = whole; i < end; ++i) here = here < x[i] ? x[i] : here;
    if (here > most) {
      most = here;
      best = begin;
    }
  }
  while (best < n && x[best] != most) ++best;
  return best < n ? best : 0;
}

void SoftmaxRow(float* x, size_t n) {
  float most = x[0];
  for (size_t i = 1; i < n; ++i) most = most < x[i] ? x[i] : most;
  FloatLanes sum = Set(0.0f);
  for (size_t i = 0; i < n; i += 16) {
    StoreFirst(Exp(Sub(LoadFirst(x + i, n - i), Set(most))), x + i, n - i);
    sum = Add(sum, LoadFirst(x + i, n - i));
  }
  const FloatLanes total = Set(Sum(sum));
  for (size_t i = 0; i < n; i += 16) StoreFirst(Div(LoadFirst(x + i, n - i), total), x + i, n - i);
}

}  // namespace dunnock::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace dunnock {

HWY_EXPORT(RmsNormRows);
HWY_EXPORT(LayerNormRow);
HWY_EXPORT(L2NormalizeRow);
HWY_EXPORT(ArgMaxOf);
HWY_EXPORT(SoftmaxRow);

namespace {

// Few rows are not worth waking another thread.
constexpr size_t kRowsAShare = 4;

}  // namespace

void RmsNorm(Rows out, ConstRows x, std::span<const float> weight, float epsilon) {
  DUNNOCK_CHECK(out.count == x.count && out.cols == x.cols && weight.size() == x.cols);
  ThreadPool::Current().ParallelFor(x.count, kRowsAShare, [&](size_t begin, size_t end) {
    HWY_DYNAMIC_DISPATCH(RmsNormRows)
    (out[begin], x[begin], weight.data(), end - begin, x.cols, epsilon);
  });
}

void LayerNorm(Rows out, ConstRows x, std::span<const float> weight, std::span<const float> bias,
               float epsilon) {
  DUNNOCK_CHECK(out.count == x.count && out.cols == x.cols);
  DUNNOCK_CHECK(weight.size() == x.cols && bias.size() == x.cols);
  ThreadPool::Current().ParallelFor(x.count, kRowsAShare, [&](size_t begin, size_t end) {
    for (size_t i = begin; i < end; ++i) {
      HWY_DYNAMIC_DISPATCH(LayerNormRow)(out[i], x[i], weight.data(), bias.data(), x.cols, epsilon);
    }
  });
}

void L2Normalize(Rows x) {
  for (size_t i = 0; i < x.count; ++i) HWY_DYNAMIC_DISPATCH(L2NormalizeRow)(x[i], x.cols);
}

size_t ArgMax(std::span<const float> values) {
  return HWY_DYNAMIC_DISPATCH(ArgMaxOf)(values.data(), values.size());
}

void Softmax(std::span<float> values) {
  if (!values.empty()) HWY_DYNAMIC_DISPATCH(SoftmaxRow)(values.data(), values.size());
}

bool AllFinite(std::span<const float> values) {
  constexpr uint32_t kExponent = 0x7F800000;  // all ones: an infinity or not a number
  bool finite = true;
  for (const float v : values) finite &= (std::bit_cast<uint32_t>(v) & kExponent) != kExponent;
  return finite;
}

std::optional<size_t> FirstNotFinite(ConstRows rows) {
  for (size_t i = 0; i < rows.count; ++i) {
    if (!AllFinite({rows[i], rows.cols})) return i;
  }
  return std::nullopt;
}

double Log(double x) {
  int exponent = 0;
  double m = std::frexp(x, &exponent);  // exact
  if (m < 0x1.6a09e667f3bcdp-1) {       // sqrt(1/2): m in [sqrt(1/2), sqrt(2))
    m *= 2;
    --exponent;
  }
  // log m = 2 atanh(s) = 2 (s + s^3/3 + s^5/5 + ...), s <= .172: 12 terms reach 2^-60.
  const double s = (m - 1) / (m + 1), square = s * s;
  double sum = 0;
  for (int i = 23; i >= 3; i -= 2) sum = (sum + 1.0 / i) * square;
  // log 2 in two parts, the first of which times any exponent is exact.
  constexpr double kHigh = 0x1.62e42fee00000p-1, kLow = 0x1.a39ef35793c76p-33;
  const double e = exponent;
  return e * kHigh + (2 * s + (2 * s * sum + e * kLow));
}

double LogSumExp(std::span<const float> values) {
  if (values.empty()) return -INFINITY;
  const double largest = *std::max_element(values.begin(), values.end());
  double sum = 0.0;
  for (const float v : values) sum += std::exp(v - largest);
  return largest + std::log(sum);
}

}  // namespace dunnock
#endif
