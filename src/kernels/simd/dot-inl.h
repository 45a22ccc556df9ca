// The integer dot products all quantized kernels are made of: 64 bytes of codes are 16 rows x 4 k;
// each 32-bit lane adds the four products of its row (or the two of a pair of 16-bit values). Exact
// on every target: no partial sum saturates.

#if defined(DUNNOCK_DOT_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef DUNNOCK_DOT_INL_H_
#undef DUNNOCK_DOT_INL_H_
#else
#define DUNNOCK_DOT_INL_H_
#endif

#include "kernels/simd/lanes-inl.h"
#include "tensor/weight.h"

// Before a loop over sums that have to stay in registers.
#ifndef DUNNOCK_UNROLL
#define DUNNOCK_UNROLL _Pragma("GCC unroll 16")
#endif

HWY_BEFORE_NAMESPACE();
namespace dunnock::HWY_NAMESPACE {

// Four activations as one 32-bit word, for all lanes.
HWY_INLINE int32_t LoadFour(const int8_t* x) {
  int32_t word;
  std::memcpy(&word, x, 4);
  return word;
}

// DotCodes7: acc + the dot of codes below 128 with x (the same four activations in every lane), in
// the sums of two products below 32768: codes of 4 and of 6 bits. DotCodes8: acc + the dot of (code
// - 128) with x, where acc began as StartCodes8(sum of all x).
#if HWY_TARGET != HWY_SCALAR && HWY_TARGET != HWY_EMU128

using TagU8 = hn::Repartition<uint8_t, TagF>;
using VecU8 = hn::Vec<TagU8>;
struct Codes {
  VecU8 part[kParts];
};

HWY_INLINE Codes LoadCodes(const uint8_t* p) {
  return EachPart<Codes>([&](size_t i) HWY_ATTR { return hn::LoadU(TagU8(), p + i * kWidth * 4); });
}
HWY_INLINE void StoreCodes(const Codes& c, uint8_t* p) {
  for (size_t i = 0; i < kParts; ++i) hn::StoreU(c.part[i], TagU8(), p + i * kWidth * 4);
}
HWY_INLINE Codes LowNibbles(const Codes& c) {
  return EachPart<Codes>([&](size_t i)
                             HWY_ATTR { return hn::And(c.part[i], hn::Set(TagU8(), 15)); });
}
HWY_INLINE Codes HighNibbles(const Codes& c) {
  return EachPart<Codes>([&](size_t i) HWY_ATTR {
    const hn::Repartition<uint16_t, TagU8> wide;
    return hn::And(hn::BitCast(TagU8(), hn::ShiftRight<4>(hn::BitCast(wide, c.part[i]))),
                   hn::Set(TagU8(), 15));
  });
}
// Codes of 6 bits: their nibbles, and two bits from place 2 kPlace of the bytes of `high`.
template <size_t kPlace>
HWY_INLINE Codes WithHighBits(const Codes& nibbles, const Codes& high) {
  return EachPart<Codes>([&](size_t i) HWY_ATTR {
    const hn::Repartition<uint16_t, TagU8> wide;
    auto bits = hn::BitCast(wide, high.part[i]);
    if constexpr (kPlace < 2) bits = hn::ShiftLeft<4 - 2 * kPlace>(bits);
    if constexpr (kPlace > 2) bits = hn::ShiftRight<2 * kPlace - 4>(bits);
    return hn::Or(nibbles.part[i], hn::And(hn::BitCast(TagU8(), bits), hn::Set(TagU8(), 0x30)));
  });
}

#if HWY_TARGET == HWY_AVX3_DL
constexpr bool kUnsignedCodes = true;  // Dot8 sums code * x, not (code - 128) * x
HWY_INLINE VecI Dot7(VecI acc, VecU8 codes, VecI x) {
  // Highway 1.0.3 does not name avx512vnni among this target's features, so the intrinsic cannot be
  // inlined here; every CPU that has the target has the instruction (Ice Lake, Zen 4 and later).
  asm("vpdpbusd %2, %1, %0" : "+v"(acc.raw) : "v"(codes.raw), "v"(x.raw));
  return acc;
}
HWY_INLINE VecI Dot8(VecI acc, VecU8 codes, VecI x) { return Dot7(acc, codes, x); }
HWY_INLINE VecI DotPair(VecI acc, VecI pairs, VecI x) {
  asm("vpdpwssd %2, %1, %0" : "+v"(acc.raw) : "v"(pairs.raw), "v"(x.raw));
  return acc;
}
#elif HWY_TARGET == HWY_AVX2
constexpr bool kUnsignedCodes = false;
HWY_INLINE VecI Dot7(VecI acc, VecU8 codes, VecI x) {
  const __m256i pairs = _mm256_maddubs_epi16(codes.raw, x.raw);
  return VecI{_mm256_add_epi32(acc.raw, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)))};
}
HWY_INLINE VecI Dot8(VecI acc, VecU8 codes, VecI x) {
  // |w| <= 128 and |x| <= 127: a pair is at most 32512, below the 32767 where maddubs saturates.
  const __m256i w = _mm256_xor_si256(codes.raw, _mm256_set1_epi8(-128));
  return Dot7(acc, VecU8{_mm256_abs_epi8(w)}, VecI{_mm256_sign_epi8(x.raw, w)});
}
HWY_INLINE VecI DotPair(VecI acc, VecI pairs, VecI x) {
  return hn::Add(acc, VecI{_mm256_madd_epi16(pairs.raw, x.raw)});
}
#elif HWY_TARGET == HWY_SSE4
constexpr bool kUnsignedCodes = false;
HWY_INLINE VecI Dot7(VecI acc, VecU8 codes, VecI x) {
  const __m128i pairs = _mm_maddubs_epi16(codes.raw, x.raw);
  return VecI{_mm_add_epi32(acc.raw, _mm_madd_epi16(pairs, _mm_set1_epi16(1)))};
}
HWY_INLINE VecI Dot8(VecI acc, VecU8 codes, VecI x) {
  const __m128i w = _mm_xor_si128(codes.raw, _mm_set1_epi8(-128));
  return Dot7(acc, VecU8{_mm_abs_epi8(w)}, VecI{_mm_sign_epi8(x.raw, w)});
}
HWY_INLINE VecI DotPair(VecI acc, VecI pairs, VecI x) {
  return hn::Add(acc, VecI{_mm_madd_epi16(pairs.raw, x.raw)});
}
#elif HWY_TARGET == HWY_NEON
// The instructions of dotprod and i8mm are the build's choice (-march=...+dotprod+i8mm): Highway
// 1.0.3 has one target for all of NEON.
HWY_INLINE int8x16_t Signed(VecU8 codes) {
  return vreinterpretq_s8_u8(veorq_u8(codes.raw, vdupq_n_u8(0x80)));
}
#if defined(__ARM_FEATURE_DOTPROD)
HWY_INLINE VecI DotSigned(VecI acc, int8x16_t w, VecI x) {
  return VecI{vdotq_s32(acc.raw, w, vreinterpretq_s8_s32(x.raw))};
}
#else
HWY_INLINE VecI DotSigned(VecI acc, int8x16_t w, VecI x) {
  // |w| <= 128 and |x| <= 127: a pair is at most 32512, which 16 bits hold.
  const int8x16_t v = vreinterpretq_s8_s32(x.raw);
  const int16x8_t low = vmull_s8(vget_low_s8(w), vget_low_s8(v)), high = vmull_high_s8(w, v);
  return VecI{vpadalq_s16(acc.raw, vpaddq_s16(low, high))};
}
#endif
HWY_INLINE VecI Dot7(VecI acc, VecU8 codes, VecI x) {
  return DotSigned(acc, vreinterpretq_s8_u8(codes.raw), x);
}
#if defined(__ARM_FEATURE_MATMUL_INT8)
constexpr bool kUnsignedCodes = true;
HWY_INLINE VecI Dot8(VecI acc, VecU8 codes, VecI x) {
  return VecI{vusdotq_s32(acc.raw, codes.raw, vreinterpretq_s8_s32(x.raw))};
}
#else
constexpr bool kUnsignedCodes = false;
HWY_INLINE VecI Dot8(VecI acc, VecU8 codes, VecI x) { return DotSigned(acc, Signed(codes), x); }
#endif
HWY_INLINE VecI DotPair(VecI acc, VecI pairs, VecI x) {
  const int16x8_t p = vreinterpretq_s16_s32(pairs.raw), v = vreinterpretq_s16_s32(x.raw);
  const int32x4_t low = vmull_s16(vget_low_s16(p), vget_low_s16(v)), high = vmull_high_s16(p, v);
  return VecI{vaddq_s32(acc.raw, vpaddq_s32(low, high))};
}
#elif HWY_TARGET == HWY_WASM
constexpr bool kUnsignedCodes = true;
HWY_INLINE VecI DotPair(VecI acc, VecI pairs, VecI x) {
  return hn::Add(acc, VecI{wasm_i32x4_dot_i16x8(pairs.raw, x.raw)});
}
// Even and odd bytes as 16-bit values: both halves of a product land in the lane of their row.
HWY_INLINE VecI Dot8(VecI acc, VecU8 codes, VecI x) {
  const v128_t even = wasm_v128_and(codes.raw, wasm_i16x8_const_splat(0xFF));
  const v128_t odd = wasm_u16x8_shr(codes.raw, 8);
  acc = DotPair(acc, VecI{even}, VecI{wasm_i16x8_shr(wasm_i16x8_shl(x.raw, 8), 8)});
  return DotPair(acc, VecI{odd}, VecI{wasm_i16x8_shr(x.raw, 8)});
}
#if defined(__wasm_relaxed_simd__)
HWY_INLINE VecI Dot7(VecI acc, VecU8 codes, VecI x) {
  // The same on every machine as long as the second operand is below 128.
  return VecI{wasm_i32x4_relaxed_dot_i8x16_i7x16_add(x.raw, codes.raw, acc.raw)};
}
#else
HWY_INLINE VecI Dot7(VecI acc, VecU8 codes, VecI x) { return Dot8(acc, codes, x); }
#endif
#else
#error "a target without dot products"
#endif

// 32 bytes: 16 lanes of two signed 8-bit values, widened. DotPairs adds to each lane its two
// products with the two 16-bit values of x.
struct Pairs {
  VecI part[kParts];
};
HWY_INLINE Pairs LoadPairs(const uint8_t* p) {
  return EachPart<Pairs>([&](size_t i) HWY_ATTR {
    const hn::Repartition<int16_t, TagI> wide;
    const hn::Rebind<int8_t, decltype(wide)> narrow;
    const auto* at = reinterpret_cast<const int8_t*>(p) + i * kWidth * 2;
    return hn::BitCast(TagI(), hn::PromoteTo(wide, hn::LoadU(narrow, at)));
  });
}
HWY_INLINE IntLanes DotPairs(const IntLanes& acc, const Pairs& pairs, int32_t x) {
  return EachPart<IntLanes>(
      [&](size_t i) HWY_ATTR { return DotPair(acc.part[i], pairs.part[i], hn::Set(TagI(), x)); });
}

HWY_INLINE IntLanes DotCodes7(const IntLanes& acc, const Codes& codes, int32_t x) {
  return EachPart<IntLanes>(
      [&](size_t i) HWY_ATTR { return Dot7(acc.part[i], codes.part[i], hn::Set(TagI(), x)); });
}
HWY_INLINE IntLanes StartCodes8(int32_t sum_x) { return SetI(kUnsignedCodes ? -128 * sum_x : 0); }
HWY_INLINE IntLanes DotCodes8(const IntLanes& acc, const Codes& codes, int32_t x) {
  return EachPart<IntLanes>(
      [&](size_t i) HWY_ATTR { return Dot8(acc.part[i], codes.part[i], hn::Set(TagI(), x)); });
}

#else  // the reference: plain loops

struct Codes {
  uint8_t byte[64];
};
HWY_INLINE Codes LoadCodes(const uint8_t* p) {
  Codes out;
  std::memcpy(out.byte, p, sizeof out.byte);
  return out;
}
HWY_INLINE void StoreCodes(const Codes& c, uint8_t* p) { std::memcpy(p, c.byte, sizeof c.byte); }
HWY_INLINE Codes LowNibbles(Codes c) {
  for (uint8_t& b : c.byte) b &= 15;
  return c;
}
HWY_INLINE Codes HighNibbles(Codes c) {
  for (uint8_t& b : c.byte) b >>= 4;
  return c;
}
template <size_t kPlace>
HWY_INLINE Codes WithHighBits(Codes nibbles, const Codes& high) {
  for (size_t i = 0; i < 64; ++i)
    nibbles.byte[i] |= static_cast<uint8_t>((high.byte[i] >> (2 * kPlace) & 3) << 4);
  return nibbles;
}
HWY_INLINE IntLanes StartCodes8(int32_t sum_x) { return SetI(-128 * sum_x); }
HWY_INLINE IntLanes DotCodes8(const IntLanes& acc, const Codes& codes, int32_t x) {
  int8_t v[4];
  std::memcpy(v, &x, 4);
  int32_t sum[16];
  for (size_t r = 0; r < 16; ++r) {
    const uint8_t* c = codes.byte + 4 * r;
    sum[r] = c[0] * v[0] + c[1] * v[1] + c[2] * v[2] + c[3] * v[3];
  }
  return AddI(acc, EachPart<IntLanes>(
                       [&](size_t i) HWY_ATTR { return hn::LoadU(TagI(), sum + i * kWidth); }));
}
HWY_INLINE IntLanes DotCodes7(const IntLanes& acc, const Codes& codes, int32_t x) {
  return DotCodes8(acc, codes, x);
}

struct Pairs {
  int8_t value[32];
};
HWY_INLINE Pairs LoadPairs(const uint8_t* p) {
  Pairs out;
  std::memcpy(out.value, p, sizeof out.value);
  return out;
}
HWY_INLINE IntLanes DotPairs(const IntLanes& acc, const Pairs& pairs, int32_t x) {
  int16_t v[2];
  std::memcpy(v, &x, 4);
  int32_t sum[16];
  for (size_t i = 0; i < 16; ++i)
    sum[i] = pairs.value[2 * i] * v[0] + pairs.value[2 * i + 1] * v[1];
  return AddI(acc, EachPart<IntLanes>(
                       [&](size_t i) HWY_ATTR { return hn::LoadU(TagI(), sum + i * kWidth); }));
}

#endif

// ---- the codes of a panel, 16 k at a time (docs/formats/panels.md) ----

template <size_t kBits>
constexpr size_t kStepBytes = kPanelRows * kStepCodes * kBits / 8;

// body(codes of k 4 i .. 4 i + 3, i) for i 0 to 3.
template <size_t kBits, typename Body>
HWY_INLINE void ForStep(const uint8_t* panel, const Body& body) {
  if constexpr (kBits == 8) {
    for (size_t i = 0; i < 4; ++i) body(LoadCodes(panel + i * 64), i);
    return;
  }
  const Codes first = LoadCodes(panel), second = LoadCodes(panel + 64);
  if constexpr (kBits == 4) {
    body(LowNibbles(first), 0);
    body(HighNibbles(first), 1);
    body(LowNibbles(second), 2);
    body(HighNibbles(second), 3);
  } else if constexpr (kBits == 6) {
    const Codes high = LoadCodes(panel + 128);
    body(WithHighBits<0>(LowNibbles(first), high), 0);
    body(WithHighBits<1>(HighNibbles(first), high), 1);
    body(WithHighBits<2>(LowNibbles(second), high), 2);
    body(WithHighBits<3>(HighNibbles(second), high), 3);
  }
}

// The sum of (code - 2^(kBits - 1)) * x: where it starts, by the sum of all x, and a step of it.
template <size_t kBits>
HWY_INLINE IntLanes StartCodes(int32_t sum_x) {
  if constexpr (kBits == 8) return StartCodes8(sum_x);
  return SetI(-(1 << (kBits - 1)) * sum_x);
}
// Where the sum of code * x starts.
template <size_t kBits>
HWY_INLINE IntLanes StartPlainCodes(int32_t sum_x) {
  if constexpr (kBits == 8) return AddI(StartCodes8(sum_x), SetI(128 * sum_x));
  return SetI(0);
}
template <size_t kBits>
HWY_INLINE IntLanes DotCodes(const IntLanes& acc, const Codes& codes, int32_t x) {
  if constexpr (kBits == 8) return DotCodes8(acc, codes, x);
  return DotCodes7(acc, codes, x);
}

}  // namespace dunnock::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
