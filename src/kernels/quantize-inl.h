// Rounding floats to int8 around zero: x ~ code * scale with codes in -127..127.

#if defined(DUNNOCK_QUANTIZE_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef DUNNOCK_QUANTIZE_INL_H_
#undef DUNNOCK_QUANTIZE_INL_H_
#else
#define DUNNOCK_QUANTIZE_INL_H_
#endif

#include "kernels/lanes-inl.h"

HWY_BEFORE_NAMESPACE();
namespace dunnock::HWY_NAMESPACE {

struct Quantized {
  float scale;
  int32_t sum;  // of the codes
};

HWY_INLINE float LargestMagnitude(const float* x, size_t size) {
  F16 largest = Set(0.0f);
  for (size_t i = 0; i < size; i += 16) largest = Max(largest, Abs(LoadFirst(x + i, size - i)));
  return MaxOf(largest);
}

// scale = largest magnitude / 127, ties to even.
HWY_INLINE Quantized QuantizeGroup(int8_t* codes, const float* x, size_t size) {
  const float largest = LargestMagnitude(x, size);
  const F16 inverse = Set(largest > 0.0f ? 127.0f / largest : 0.0f);
  I16 sum = SetI(0);
  for (size_t i = 0; i < size; i += 16) {
    const F16 quotient = Mul(LoadFirst(x + i, size - i), inverse);
    // A NaN becomes -127.
    const I16 code = RoundToInt(Min(Set(127.0f), Max(Set(-127.0f), quotient)));
    sum = AddI(sum, code);
    if (size - i >= 16) {
      StoreNarrow(code, codes + i);
    } else {
      int8_t last[16];
      StoreNarrow(code, last);
      std::memcpy(codes + i, last, size - i);
    }
  }
  return {largest / 127.0f, SumI(sum)};
}

}  // namespace dunnock::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
