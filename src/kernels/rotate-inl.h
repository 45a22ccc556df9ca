// The Hadamard rotation of blocks: sums and differences of values that lie a power of two apart.

#if defined(DUNNOCK_ROTATE_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef DUNNOCK_ROTATE_INL_H_
#undef DUNNOCK_ROTATE_INL_H_
#else
#define DUNNOCK_ROTATE_INL_H_
#endif

#include "kernels/lanes-inl.h"

HWY_BEFORE_NAMESPACE();
namespace dunnock::HWY_NAMESPACE {

// Lanes with bit kStep clear become self + partner, the others partner - self.
template <size_t kStep>
HWY_INLINE F16 Butterfly(const F16& a) {
  float sign[16];
  for (size_t i = 0; i < 16; ++i) sign[i] = (i & kStep) != 0 ? -1.0f : 1.0f;
  return Add(Partner<kStep>(a), Mul(a, Load(sign)));
}

// All steps of 16 and more on kVectors vectors of the last blocks, then those inside a vector.
template <size_t kVectors>
HWY_INLINE void RotateLastSteps(float* out, const float* x, size_t size) {
  for (size_t i = 0; i < size; i += kVectors * 16) {
    F16 v[kVectors];
    for (size_t j = 0; j < kVectors; ++j) v[j] = Load(x + i + j * 16);
    for (size_t step = kVectors / 2; step > 0; step /= 2) {
      for (size_t j = 0; j < kVectors; ++j) {
        if ((j & step) != 0) continue;
        const F16 a = v[j], b = v[j + step];
        v[j] = Add(a, b);
        v[j + step] = Sub(a, b);
      }
    }
    for (size_t j = 0; j < kVectors; ++j)
      Store(Butterfly<1>(Butterfly<2>(Butterfly<4>(Butterfly<8>(v[j])))), out + i + j * 16);
  }
}

// Steps `step` and step / 2 in one pass.
HWY_INLINE void RotateTwoSteps(float* out, const float* x, size_t size, size_t step) {
  const size_t half = step / 2;
  for (size_t base = 0; base < size; base += 2 * step) {
    for (size_t i = base; i < base + half; i += 16) {
      const F16 a = Load(x + i), b = Load(x + i + half);
      const F16 c = Load(x + i + step), d = Load(x + i + step + half);
      const F16 sum_ac = Add(a, c), sum_bd = Add(b, d), less_ac = Sub(a, c), less_bd = Sub(b, d);
      Store(Add(sum_ac, sum_bd), out + i);
      Store(Sub(sum_ac, sum_bd), out + i + half);
      Store(Add(less_ac, less_bd), out + i + step);
      Store(Sub(less_ac, less_bd), out + i + step + half);
    }
  }
}

HWY_INLINE void RotateSmallBlocks(float* out, const float* x, size_t size, size_t block) {
  if (out != x) std::memcpy(out, x, size * sizeof(float));
  for (size_t step = block / 2; step >= 1; step /= 2) {
    for (size_t base = 0; base < size; base += 2 * step) {
      for (size_t i = base; i < base + step; ++i) {
        const float a = out[i];
        out[i] = a + out[i + step];
        out[i + step] = a - out[i + step];
      }
    }
  }
}

// Without normalization: twice multiplies by block. out may be x.
HWY_INLINE void RotateBlocks(float* out, const float* x, size_t size, size_t block) {
  if (block < 16) return RotateSmallBlocks(out, x, size, block);
  for (; block > 64; block /= 4, x = out) RotateTwoSteps(out, x, size, block / 2);
  if (block == 64) return RotateLastSteps<4>(out, x, size);
  if (block == 32) return RotateLastSteps<2>(out, x, size);
  RotateLastSteps<1>(out, x, size);
}

}  // namespace dunnock::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
