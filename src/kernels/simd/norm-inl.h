// RMSNorm of one row, for what normalizes and for what multiplies the normalized.

#if defined(DUNNOCK_NORM_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef DUNNOCK_NORM_INL_H_
#undef DUNNOCK_NORM_INL_H_
#else
#define DUNNOCK_NORM_INL_H_
#endif

#include <cmath>

#include "kernels/simd/lanes-inl.h"

HWY_BEFORE_NAMESPACE();
namespace dunnock::HWY_NAMESPACE {

HWY_INLINE float SumOfSquares(const float* x, size_t n) {
  FloatLanes sum = Set(0.0f);
  for (size_t i = 0; i < n; i += 16) {
    const FloatLanes v = LoadFirst(x + i, n - i);
    sum = Add(sum, Mul(v, v));
  }
  return Sum(sum);
}

// out may be x.
HWY_INLINE void RmsNormRow(float* out, const float* x, const float* weight, size_t n,
                           float epsilon) {
  const float mean = SumOfSquares(x, n) / static_cast<float>(n);
  const FloatLanes inverse = Set(1.0f / std::sqrt(mean + epsilon));
  for (size_t i = 0; i < n; i += 16) {
    const FloatLanes v = Mul(LoadFirst(x + i, n - i), inverse);
    StoreFirst(Mul(v, LoadFirst(weight + i, n - i)), out + i, n - i);
  }
}

}  // namespace dunnock::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
