// Rounding floats to int8 around zero: x ~ code * scale with codes in -127..127.

#if defined(DUNNOCK_QUANTIZE_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef DUNNOCK_QUANTIZE_INL_H_
#undef DUNNOCK_QUANTIZE_INL_H_
#else
#define DUNNOCK_QUANTIZE_INL_H_
#endif

#include "kernels/simd/lanes-inl.h"

HWY_BEFORE_NAMESPACE();
namespace dunnock::HWY_NAMESPACE {

struct Quantized {
  float scale;
  int32_t sum;  // of the codes
};

// By lane.
HWY_INLINE FloatLanes LargestMagnitudes(const float* x, size_t size) {
  FloatLanes largest = Set(0.0f);
  for (size_t i = 0; i < size; i += 16)
    largest = MaxMagnitude(largest, Abs(LoadFirst(x + i, size - i)));
  return largest;
}

// scale = largest magnitude / 127, ties to even. What is not finite makes the scale such, and so
// the products.
HWY_INLINE Quantized QuantizeGroup(int8_t* codes, const float* x, size_t size,
                                   const FloatLanes& largest_magnitudes) {
  const float largest = MaxMagnitudeOf(largest_magnitudes);
  const FloatLanes inverse = Set(largest > 0.0f ? 127.0f / largest : 0.0f);
  IntLanes sum = SetI(0);
  const auto code_of = [&](const FloatLanes& values) HWY_ATTR {
    const IntLanes code = RoundToInt(Min(Set(127.0f), Max(Set(-127.0f), Mul(values, inverse))));
    sum = AddI(sum, code);
    return code;
  };
  size_t i = 0;
  for (; i + 16 <= size; i += 16) StoreNarrow(code_of(Load(x + i)), codes + i);
  if (i < size) {
    int8_t last[16];
    StoreNarrow(code_of(LoadFirst(x + i, size - i)), last);
    std::memcpy(codes + i, last, size - i);
  }
  return {largest / 127.0f, SumI(sum)};
}
HWY_INLINE Quantized QuantizeGroup(int8_t* codes, const float* x, size_t size) {
  return QuantizeGroup(codes, x, size, LargestMagnitudes(x, size));
}

// rest = x - code * scale. rest may be x.
HWY_INLINE void LeaveRest(float* rest, const float* x, const int8_t* codes, float scale,
                          size_t size) {
  for (size_t i = 0; i < size; i += 16) {
    const size_t valid = std::min<size_t>(size - i, 16);
    uint8_t last[16] = {};
    std::memcpy(last, codes + i, valid);
    StoreFirst(Sub(LoadFirst(x + i, valid), Mul(LoadInt8(last), Set(scale))), rest + i, valid);
  }
}

}  // namespace dunnock::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
