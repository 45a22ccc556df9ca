// The Hadamard rotation of blocks: sums and differences of values that lie a power of two apart.

#if defined(DUNNOCK_ROTATE_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef DUNNOCK_ROTATE_INL_H_
#undef DUNNOCK_ROTATE_INL_H_
#else
#define DUNNOCK_ROTATE_INL_H_
#endif

#include "base/check.h"
#include "kernels/simd/lanes-inl.h"

HWY_BEFORE_NAMESPACE();
namespace dunnock::HWY_NAMESPACE {

// Lanes with bit kStep clear become self + partner, the others partner - self.
template <size_t kStep>
HWY_INLINE FloatLanes Butterfly(const FloatLanes& a) {
#if HWY_TARGET == HWY_AVX3_DL || HWY_TARGET == HWY_AVX2
  // Products with 1 and -1 are exact: fused or not, the sum is the same.
  float sign[16];
  for (size_t i = 0; i < 16; ++i) sign[i] = (i & kStep) != 0 ? -1.0f : 1.0f;
  const FloatLanes signs = Load(sign), partner = Partner<kStep>(a);
  return EachPart<FloatLanes>(
      [&](size_t i) HWY_ATTR { return hn::MulAdd(a.part[i], signs.part[i], partner.part[i]); });
#else
  float sign[16];
  for (size_t i = 0; i < 16; ++i) sign[i] = (i & kStep) != 0 ? -0.0f : 0.0f;
  return Add(Partner<kStep>(a), Xor(a, Load(sign)));
#endif
}

// The steps of kVectors / 2 vectors and less, on values that lie in registers.
template <size_t kVectors>
HWY_INLINE void RotateVectors(FloatLanes (&v)[kVectors]) {
  for (size_t step = kVectors / 2; step > 0; step /= 2) {
    for (size_t j = 0; j < kVectors; ++j) {
      if ((j & step) != 0) continue;
      const FloatLanes a = v[j], b = v[j + step];
      v[j] = Add(a, b);
      v[j + step] = Sub(a, b);
    }
  }
}

// All steps on blocks of kVectors x 16. Returns the largest magnitudes, by lane.
template <size_t kVectors>
HWY_INLINE FloatLanes RotateLastSteps(float* out, const float* x, size_t size) {
  FloatLanes largest = Set(0.0f);
  for (size_t i = 0; i < size; i += kVectors * 16) {
    FloatLanes v[kVectors];
    for (size_t j = 0; j < kVectors; ++j) v[j] = Load(x + i + j * 16);
    RotateVectors(v);
    for (size_t j = 0; j < kVectors; ++j) {
      const FloatLanes y = Butterfly<1>(Butterfly<2>(Butterfly<4>(Butterfly<8>(v[j]))));
      largest = MaxMagnitude(largest, Abs(y));
      Store(y, out + i + j * 16);
    }
  }
  return largest;
}

// The first steps of blocks of kPieces x `part`: those of `part` and more.
template <size_t kPieces>
HWY_INLINE void RotateFirstSteps(float* out, const float* x, size_t size, size_t part) {
  for (size_t base = 0; base < size; base += kPieces * part) {
    for (size_t i = base; i < base + part; i += 16) {
      FloatLanes v[kPieces];
      for (size_t j = 0; j < kPieces; ++j) v[j] = Load(x + i + j * part);
      RotateVectors(v);
      for (size_t j = 0; j < kPieces; ++j) Store(v[j], out + i + j * part);
    }
  }
}

HWY_INLINE FloatLanes RotateSmallBlocks(float* out, const float* x, size_t size, size_t block) {
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
  FloatLanes largest = Set(0.0f);
  for (size_t i = 0; i < size; i += 16)
    largest = MaxMagnitude(largest, Abs(LoadFirst(out + i, size - i)));
  return largest;
}

// Without normalization: twice multiplies by block. out may be x. Returns the largest magnitudes of
// what comes out, by lane.
HWY_INLINE FloatLanes RotateBlocks(float* out, const float* x, size_t size, size_t block) {
  switch (block) {
    case 16:
      return RotateLastSteps<1>(out, x, size);
    case 32:
      return RotateLastSteps<2>(out, x, size);
    case 64:
      return RotateLastSteps<4>(out, x, size);
    case 128:
      RotateFirstSteps<2>(out, x, size, 64);
      return RotateLastSteps<4>(out, out, size);
    case 256:
      RotateFirstSteps<4>(out, x, size, 64);
      return RotateLastSteps<4>(out, out, size);
    case 512:
      RotateFirstSteps<8>(out, x, size, 64);
      return RotateLastSteps<4>(out, out, size);
    default:
      DUNNOCK_CHECK(block < 16);
      return RotateSmallBlocks(out, x, size, block);
  }
}

}  // namespace dunnock::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
