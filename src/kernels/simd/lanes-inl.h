// Sixteen virtual lanes on every target: one AVX-512 register, two of AVX2, four of SSE4, NEON or
// WASM. All float kernels are written on them, with separate multiply and add and one fixed tree
// for sums, so every target rounds alike. Included once per target (Highway's foreach_target).

#if defined(DUNNOCK_LANES_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef DUNNOCK_LANES_INL_H_
#undef DUNNOCK_LANES_INL_H_
#else
#define DUNNOCK_LANES_INL_H_
#endif

#include <hwy/highway.h>

#include <cstddef>
#include <cstdint>
#include <cstring>

HWY_BEFORE_NAMESPACE();
namespace dunnock::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

using TagF = hn::CappedTag<float, 16>;
using TagI = hn::RebindToSigned<TagF>;
using VecF = hn::Vec<TagF>;
using VecI = hn::Vec<TagI>;
constexpr size_t kWidth = hn::MaxLanes(TagF());
constexpr size_t kParts = 16 / kWidth;

struct FloatLanes {
  VecF part[kParts];
};
struct IntLanes {
  VecI part[kParts];
};

template <typename Out, typename Op>
HWY_INLINE Out EachPart(Op op) {
  Out out;
  for (size_t p = 0; p < kParts; ++p) out.part[p] = op(p);
  return out;
}

HWY_INLINE FloatLanes Set(float x) {
  return EachPart<FloatLanes>([&](size_t) HWY_ATTR { return hn::Set(TagF(), x); });
}
HWY_INLINE FloatLanes Load(const float* p) {
  return EachPart<FloatLanes>([&](size_t i) HWY_ATTR { return hn::LoadU(TagF(), p + i * kWidth); });
}
HWY_INLINE void Store(const FloatLanes& a, float* p) {
  for (size_t i = 0; i < kParts; ++i) hn::StoreU(a.part[i], TagF(), p + i * kWidth);
}
// The first n values; the other lanes are 0.
HWY_INLINE FloatLanes LoadFirst(const float* p, size_t n) {
  if (n >= 16) return Load(p);
  float buffer[16] = {};
  std::memcpy(buffer, p, n * sizeof(float));
  return Load(buffer);
}
HWY_INLINE void StoreFirst(const FloatLanes& a, float* p, size_t n) {
  if (n >= 16) return Store(a, p);
  float buffer[16];
  Store(a, buffer);
  std::memcpy(p, buffer, n * sizeof(float));
}

HWY_INLINE FloatLanes Add(const FloatLanes& a, const FloatLanes& b) {
  return EachPart<FloatLanes>([&](size_t i) HWY_ATTR { return hn::Add(a.part[i], b.part[i]); });
}
HWY_INLINE FloatLanes Sub(const FloatLanes& a, const FloatLanes& b) {
  return EachPart<FloatLanes>([&](size_t i) HWY_ATTR { return hn::Sub(a.part[i], b.part[i]); });
}
HWY_INLINE FloatLanes Mul(const FloatLanes& a, const FloatLanes& b) {
  return EachPart<FloatLanes>([&](size_t i) HWY_ATTR { return hn::Mul(a.part[i], b.part[i]); });
}
HWY_INLINE FloatLanes Div(const FloatLanes& a, const FloatLanes& b) {
  return EachPart<FloatLanes>([&](size_t i) HWY_ATTR { return hn::Div(a.part[i], b.part[i]); });
}
// Where a is below b, b, else a: the same for NaN and signed zero on every target.
HWY_INLINE FloatLanes Max(const FloatLanes& a, const FloatLanes& b) {
  return EachPart<FloatLanes>([&](size_t i) HWY_ATTR {
#if HWY_ARCH_X86 && HWY_TARGET != HWY_SCALAR && HWY_TARGET != HWY_EMU128
    return hn::Max(b.part[i], a.part[i]);  // x86's is b > a ? b : a
#elif HWY_TARGET == HWY_WASM
    return VecF{wasm_f32x4_pmax(a.part[i].raw, b.part[i].raw)};  // a < b ? b : a
#else
    return hn::IfThenElse(hn::Lt(a.part[i], b.part[i]), b.part[i], a.part[i]);
#endif
  });
}
HWY_INLINE FloatLanes Min(const FloatLanes& a, const FloatLanes& b) {
  return EachPart<FloatLanes>([&](size_t i) HWY_ATTR {
#if HWY_ARCH_X86 && HWY_TARGET != HWY_SCALAR && HWY_TARGET != HWY_EMU128
    return hn::Min(b.part[i], a.part[i]);  // x86's is b < a ? b : a
#elif HWY_TARGET == HWY_WASM
    return VecF{wasm_f32x4_pmin(a.part[i].raw, b.part[i].raw)};  // b < a ? b : a
#else
    return hn::IfThenElse(hn::Lt(b.part[i], a.part[i]), b.part[i], a.part[i]);
#endif
  });
}
HWY_INLINE FloatLanes Abs(const FloatLanes& a) {
  return EachPart<FloatLanes>([&](size_t i) HWY_ATTR { return hn::Abs(a.part[i]); });
}
// The larger of numbers without sign, compared as integers: what is no number is above infinity, so
// that it shows in the result.
HWY_INLINE FloatLanes MaxMagnitude(const FloatLanes& a, const FloatLanes& b) {
  return EachPart<FloatLanes>([&](size_t i) HWY_ATTR {
    const auto x = hn::BitCast(TagI(), a.part[i]), y = hn::BitCast(TagI(), b.part[i]);
    return hn::BitCast(TagF(), hn::Max(x, y));
  });
}
HWY_INLINE FloatLanes Xor(const FloatLanes& a, const FloatLanes& b) {
  return EachPart<FloatLanes>([&](size_t i) HWY_ATTR { return hn::Xor(a.part[i], b.part[i]); });
}

// Each lane's partner at distance kStep, when both lie in one part.
template <size_t kStep>
HWY_INLINE FloatLanes PartnerInside(const FloatLanes& a) {
  return EachPart<FloatLanes>([&](size_t i) HWY_ATTR {
#if HWY_TARGET != HWY_SCALAR
    if constexpr (kStep == 1) return hn::Shuffle2301(a.part[i]);
    if constexpr (kStep == 2) return hn::Shuffle1032(a.part[i]);
#endif
#if HWY_TARGET == HWY_AVX3_DL
    return VecF{_mm512_shuffle_f32x4(a.part[i].raw, a.part[i].raw, kStep == 4 ? 0xB1 : 0x4E)};
#elif HWY_TARGET == HWY_AVX2
    return VecF{_mm256_permute2f128_ps(a.part[i].raw, a.part[i].raw, 1)};
#else
    return a.part[i];  // not reached: other targets have at most four lanes
#endif
  });
}

// Each lane's partner at distance kStep (a power of two below 16).
template <size_t kStep>
HWY_INLINE FloatLanes Partner(const FloatLanes& a) {
  if constexpr (kStep >= kWidth) {
    return EachPart<FloatLanes>([&](size_t i) HWY_ATTR { return a.part[i ^ (kStep / kWidth)]; });
  } else {
    return PartnerInside<kStep>(a);
  }
}

// The one order in which 16 lanes are summed: i with i+8, then i+4, i+2, i+1.
HWY_INLINE float Sum(const FloatLanes& a) {
  FloatLanes x = Add(a, Partner<8>(a));
  x = Add(x, Partner<4>(x));
  x = Add(x, Partner<2>(x));
  return hn::GetLane(Add(x, Partner<1>(x)).part[0]);
}
HWY_INLINE float MaxOf(const FloatLanes& a) {
  FloatLanes x = Max(a, Partner<8>(a));
  x = Max(x, Partner<4>(x));
  x = Max(x, Partner<2>(x));
  return hn::GetLane(Max(x, Partner<1>(x)).part[0]);
}

HWY_INLINE float MaxMagnitudeOf(const FloatLanes& a) {
  FloatLanes x = MaxMagnitude(a, Partner<8>(a));
  x = MaxMagnitude(x, Partner<4>(x));
  x = MaxMagnitude(x, Partner<2>(x));
  return hn::GetLane(MaxMagnitude(x, Partner<1>(x)).part[0]);
}

HWY_INLINE IntLanes SetI(int32_t x) {
  return EachPart<IntLanes>([&](size_t) HWY_ATTR { return hn::Set(TagI(), x); });
}
HWY_INLINE IntLanes AddI(const IntLanes& a, const IntLanes& b) {
  return EachPart<IntLanes>([&](size_t i) HWY_ATTR { return hn::Add(a.part[i], b.part[i]); });
}
HWY_INLINE FloatLanes ToFloat(const IntLanes& a) {
  return EachPart<FloatLanes>([&](size_t i) HWY_ATTR { return hn::ConvertTo(TagF(), a.part[i]); });
}
HWY_INLINE IntLanes BitsOf(const FloatLanes& a) {
  return EachPart<IntLanes>([&](size_t i) HWY_ATTR { return hn::BitCast(TagI(), a.part[i]); });
}
HWY_INLINE FloatLanes FromBits(const IntLanes& a) {
  return EachPart<FloatLanes>([&](size_t i) HWY_ATTR { return hn::BitCast(TagF(), a.part[i]); });
}
template <size_t kStep>
HWY_INLINE IntLanes Partner(const IntLanes& a) {
  return BitsOf(Partner<kStep>(FromBits(a)));
}
template <int kBits>
HWY_INLINE IntLanes ShiftLeft(const IntLanes& a) {
  return EachPart<IntLanes>([&](size_t i) HWY_ATTR { return hn::ShiftLeft<kBits>(a.part[i]); });
}

// Nearest integer, ties to even, for |a| < 2^22: adding 1.5 * 2^23 leaves it in the low bits.
constexpr float kRoundMagic = 12582912.0f;
HWY_INLINE IntLanes RoundToInt(const FloatLanes& a) {
#if HWY_TARGET == HWY_AVX3_DL
  return IntLanes{{VecI{_mm512_cvtps_epi32(a.part[0].raw)}}};
#elif HWY_TARGET == HWY_AVX2
  return EachPart<IntLanes>([&](size_t i)
                                HWY_ATTR { return VecI{_mm256_cvtps_epi32(a.part[i].raw)}; });
#elif HWY_TARGET == HWY_SSE4
  return EachPart<IntLanes>([&](size_t i)
                                HWY_ATTR { return VecI{_mm_cvtps_epi32(a.part[i].raw)}; });
#else
  return AddI(BitsOf(Add(a, Set(kRoundMagic))), SetI(-0x4B400000));
#endif
}
HWY_INLINE FloatLanes Round(const FloatLanes& a) {
#if HWY_TARGET == HWY_AVX3_DL
  return FloatLanes{{VecF{_mm512_roundscale_ps(a.part[0].raw, _MM_FROUND_TO_NEAREST_INT)}}};
#else
  return Sub(Add(a, Set(kRoundMagic)), Set(kRoundMagic));
#endif
}
// x * 2^n for whole n of -126..127.
HWY_INLINE FloatLanes TimesPowerOf2(const FloatLanes& x, const FloatLanes& n) {
#if HWY_TARGET == HWY_AVX3_DL
  return FloatLanes{{VecF{_mm512_scalef_ps(x.part[0].raw, n.part[0].raw)}}};
#else
  return Mul(x, FromBits(ShiftLeft<23>(AddI(RoundToInt(n), SetI(127)))));
#endif
}

// The sum of all lanes, exact as long as it fits.
HWY_INLINE int32_t SumI(const IntLanes& a) {
  IntLanes x = AddI(a, Partner<8>(a));
  x = AddI(x, Partner<4>(x));
  x = AddI(x, Partner<2>(x));
  return hn::GetLane(AddI(x, Partner<1>(x)).part[0]);
}
// 16 integers narrowed to N, which holds them.
template <typename N>
HWY_INLINE void StoreNarrow(const IntLanes& a, N* p) {
#if HWY_TARGET == HWY_AVX3_DL  // one instruction, where Highway 1.0.3 packs in three
  if constexpr (sizeof(N) == 1) {
    _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm512_cvtepi32_epi8(a.part[0].raw));
  } else {
    static_assert(sizeof(N) == 2);
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), _mm512_cvtepi32_epi16(a.part[0].raw));
  }
#else
  const hn::Rebind<N, TagI> narrow;
  for (size_t i = 0; i < kParts; ++i)
    hn::StoreU(hn::DemoteTo(narrow, a.part[i]), narrow, p + i * kWidth);
#endif
}

// 16 float16 or bfloat16 values, widened.
HWY_INLINE FloatLanes LoadFloat16(const uint8_t* p) {
  const hn::Rebind<hwy::float16_t, TagF> narrow;
  return EachPart<FloatLanes>([&](size_t i) HWY_ATTR {
    hwy::float16_t buffer[kWidth];
    std::memcpy(buffer, p + i * kWidth * 2, sizeof buffer);
    return hn::PromoteTo(TagF(), hn::LoadU(narrow, buffer));
  });
}
HWY_INLINE FloatLanes LoadInt8(const uint8_t* p) {
  const hn::Rebind<int8_t, TagI> narrow;
  return EachPart<FloatLanes>([&](size_t i) HWY_ATTR {
    int8_t buffer[kWidth];
    std::memcpy(buffer, p + i * kWidth, sizeof buffer);
    return hn::ConvertTo(TagF(), hn::PromoteTo(TagI(), hn::LoadU(narrow, buffer)));
  });
}
HWY_INLINE FloatLanes LoadBFloat16(const uint8_t* p) {
  const hn::Rebind<uint16_t, TagI> narrow;
  return EachPart<FloatLanes>([&](size_t i) HWY_ATTR {
    uint16_t buffer[kWidth];
    std::memcpy(buffer, p + i * kWidth * 2, sizeof buffer);
    const hn::RebindToUnsigned<TagI> wide;
    return hn::BitCast(TagF(), hn::ShiftLeft<16>(hn::PromoteTo(wide, hn::LoadU(narrow, buffer))));
  });
}
HWY_INLINE FloatLanes LoadFloats(const uint8_t* p) {
  float buffer[16];
  std::memcpy(buffer, p, sizeof buffer);
  return Load(buffer);
}

}  // namespace dunnock::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
