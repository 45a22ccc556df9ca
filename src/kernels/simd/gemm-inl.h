// Many tokens at once, for weights with one scale a row: two panels at a time are unpacked to a
// byte a code, once for a block of tokens, and multiplied in tiles as large as the registers hold.
// The sums are the integers of tiles-inl.h, so a prompt gives the bits of its tokens one by one.

#if defined(DUNNOCK_GEMM_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef DUNNOCK_GEMM_INL_H_
#undef DUNNOCK_GEMM_INL_H_
#else
#define DUNNOCK_GEMM_INL_H_
#endif

#include "kernels/simd/tiles-inl.h"

#ifndef DUNNOCK_FEWEST_GEMM_TOKENS
#define DUNNOCK_FEWEST_GEMM_TOKENS
namespace dunnock {

// Unpacking pays from about half a tile on.
constexpr size_t kFewestGemmTokens = 6;

}  // namespace dunnock
#endif

HWY_BEFORE_NAMESPACE();
namespace dunnock::HWY_NAMESPACE {

// Accumulators that fit the registers: 32 of AVX-512, 16 of AVX2 and SSE4.
constexpr size_t kGemmPanels = kParts == 1 ? 2 : 1;
constexpr size_t kGemmTokens = kParts == 1 ? 12 : kParts == 2 ? 5 : 2;
// The cost of unpacking vanishes over a block, and a block's activations stay in the second cache.
constexpr size_t kGemmBlockBytes = size_t{800} << 10;

// The codes of a panel as bytes, in the layout of an 8-bit panel.
template <size_t kBits>
HWY_INLINE void UnpackPanel(uint8_t* out, const uint8_t* panel, size_t cols) {
  for (size_t k = 0; k < cols; k += kStepCodes, panel += kStepBytes<kBits>, out += kStepBytes<8>) {
    ForStep<kBits>(panel,
                   [&](const Codes& codes, size_t i) HWY_ATTR { StoreCodes(codes, out + i * 64); });
  }
}

// Which panel of which weight.
struct PanelOf {
  const Weight* weight;
  size_t index;
};
struct PanelPair {
  PanelOf first, second;
};

// The byte codes of two panels, and what is asked for meanwhile: the panels that come next.
struct PairCodes {
  const uint8_t* panel[2];
  const uint8_t* next[2];
};

// sum[p][t] = the dot of panel p's 16 rows with token t, over `chunks` x 4 k.
template <size_t kBits, size_t kPanels, size_t kTokens>
HWY_INLINE void GemmTile(IntLanes (&sum)[kPanels][kTokens], const uint8_t* const (&panels)[kPanels],
                         const uint8_t* const (&next)[kPanels], size_t chunks, const Activations& x,
                         size_t token) {
  const int8_t* const codes = x.codes(token);
  const size_t stride = x.stride();
  DUNNOCK_UNROLL
  for (size_t t = 0; t < kTokens; ++t) {
    const IntLanes start = StartCodes<kBits>(x.sums(token + t)[0]);
    for (size_t p = 0; p < kPanels; ++p) sum[p][t] = start;
  }
  for (size_t c = 0; c < chunks; ++c) {
    Codes w[kPanels];
    for (size_t p = 0; p < kPanels; ++p) {
      w[p] = LoadCodes(panels[p] + c * 64);
      __builtin_prefetch(next[p] + c * (8 * kBits));
    }
    const int8_t* at = codes + c * 4;
    DUNNOCK_UNROLL
    for (size_t t = 0; t < kTokens; ++t, at += stride) {
      const int32_t four = LoadFour(at);
      for (size_t p = 0; p < kPanels; ++p) sum[p][t] = DotCodes<kBits>(sum[p][t], w[p], four);
    }
  }
}

HWY_INLINE const uint8_t* PanelBytes(const PanelOf& of) {
  return of.weight->panels.bytes().data() + of.index * of.weight->panel_bytes;
}

// The codes of a panel, a byte each: as they lie there, or unpacked to memory.
template <size_t kBits>
HWY_INLINE const uint8_t* ByteCodes(const PanelOf& of, uint8_t* memory) {
  if constexpr (kBits == 8) return PanelBytes(of);
  UnpackPanel<kBits>(memory, PanelBytes(of), of.weight->cols);
  return memory;
}

// The products of two panels with kTokens tokens: emit(token, kTokens, products with the first,
// with the second).
template <size_t kBits, size_t kTokens, typename Emit>
HWY_NOINLINE void GemmPair(const PanelPair& pair, const PairCodes& codes, const Activations& x,
                           size_t token, const Emit& emit) {
  const size_t chunks = PaddedCols(pair.first.weight->cols) / 4;
  IntLanes sums[2][kTokens];
  if constexpr (kGemmPanels == 2) {
    GemmTile<kBits>(sums, codes.panel, codes.next, chunks, x, token);
  } else {
    for (size_t p = 0; p < 2; ++p) {
      const uint8_t *const panels[] = {codes.panel[p]}, *const next[] = {codes.next[p]};
      IntLanes one[1][kTokens];
      GemmTile<kBits>(one, panels, next, chunks, x, token);
      for (size_t t = 0; t < kTokens; ++t) sums[p][t] = one[0][t];
    }
  }
  const auto [first, second] = pair;
  const FloatLanes scales[] = {RowScales(*first.weight, first.index),
                               RowScales(*second.weight, second.index)};
  const RowBias bias[] = {{*first.weight, first.index}, {*second.weight, second.index}};
  FloatLanes products[2][kTokens];
  DUNNOCK_UNROLL
  for (size_t t = 0; t < kTokens; ++t) {
    const float x_scale = x.scales(token + t)[0];
    for (size_t p = 0; p < 2; ++p)
      products[p][t] = bias[p].AddTo(ScaleSum(sums[p][t], scales[p], x_scale));
  }
  emit(token, kTokens, products[0], products[1]);
}

// How many tokens the next tile takes: few left are dealt out evenly, so that no tile is too small
// to keep the multipliers busy.
HWY_INLINE size_t NextTile(size_t left) {
  if (left >= 2 * kGemmTokens) return kGemmTokens;
  if (left > kGemmTokens) left = (left + 1) / 2;
  return kGemmTokens > 4 && left > 4 ? std::min(left / 2 * 2, kGemmTokens) : left;
}

template <size_t kBits, size_t kTokens, typename Emit>
HWY_INLINE void GemmPairOf(size_t tokens, const PanelPair& pair, const PairCodes& codes,
                           const Activations& x, size_t token, const Emit& emit) {
  if (tokens == kTokens) return GemmPair<kBits, kTokens>(pair, codes, x, token, emit);
  if constexpr (kTokens > 1) {
    constexpr size_t kFewer = kTokens > 4 ? (kTokens - 1) / 2 * 2 : kTokens - 1;
    GemmPairOf<kBits, kFewer>(tokens, pair, codes, x, token, emit);
  }
}

template <size_t kBits, typename Emit>
HWY_INLINE void GemmTokens(const PanelPair& pair, PairCodes codes, const Activations& x,
                           size_t token, size_t end, const Emit& emit) {
  while (token < end) {
    const size_t tokens = NextTile(end - token);
    GemmPairOf<kBits, kGemmTokens>(tokens, pair, codes, x, token, emit);
    token += tokens;
    for (size_t p = 0; p < 2; ++p) codes.next[p] = codes.panel[p];  // has come by now
  }
}

// Whether a weight is multiplied this way with this many tokens.
HWY_INLINE bool UsesGemm(const Weight& weight, size_t tokens) {
  return tokens >= kFewestGemmTokens && weight.has_row_scales();
}

// All tokens with `count` pairs of panels, pair_at(i) naming the i-th. emit(i, token, n, first,
// second) gets the products of n tokens from `token` on with its two panels.
template <size_t kBits, typename PairAt, typename Emit>
HWY_INLINE void GemmOf(size_t count, const PairAt& pair_at, const Activations& x, size_t tokens,
                       const Emit& emit) {
  AlignedBuffer& memory = ThreadScratch(ScratchSlot::kGemm);
  const size_t blocks = 1 + tokens * x.stride() / kGemmBlockBytes;
  const size_t tiles_a_block = (tokens / kGemmTokens + blocks) / blocks;
  for (size_t begin = 0, end; begin < tokens; begin = end) {
    end = std::min(tokens, begin + tiles_a_block * kGemmTokens);
    for (size_t i = 0; i < count; ++i) {
      const PanelPair pair = pair_at(i);
      const size_t panel_bytes = PaddedCols(pair.first.weight->cols) * kPanelRows;
      auto* const bytes = static_cast<uint8_t*>(memory.Reserve(2 * panel_bytes));
      const PanelPair next = pair_at(i + 1 < count ? i + 1 : i);
      const PairCodes codes{
          {ByteCodes<kBits>(pair.first, bytes), ByteCodes<kBits>(pair.second, bytes + panel_bytes)},
          {PanelBytes(next.first), PanelBytes(next.second)}};
      GemmTokens<kBits>(
          pair, codes, x, begin, end,
          [&](size_t token, size_t n, const FloatLanes* first, const FloatLanes* second)
              HWY_ATTR { emit(i, token, n, first, second); });
    }
  }
}

template <typename PairAt, typename Emit>
HWY_INLINE void Gemm(size_t count, const PairAt& pair_at, const Activations& x, size_t tokens,
                     const Emit& emit) {
  switch (CodeBits(pair_at(0).first.weight->encoding)) {
    case 4:
      return GemmOf<4>(count, pair_at, x, tokens, emit);
    case 6:
      return GemmOf<6>(count, pair_at, x, tokens, emit);
    default:
      return GemmOf<8>(count, pair_at, x, tokens, emit);
  }
}

}  // namespace dunnock::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
