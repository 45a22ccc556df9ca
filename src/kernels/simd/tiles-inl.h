// Sixteen outputs of a few tokens from one packed panel: the inner products of MatMul, one shape
// for each encoding. A tile's result does not depend on its size.

#if defined(DUNNOCK_TILES_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef DUNNOCK_TILES_INL_H_
#undef DUNNOCK_TILES_INL_H_
#else
#define DUNNOCK_TILES_INL_H_
#endif

#include <type_traits>

#include "kernels/activations.h"
#include "kernels/simd/dot-inl.h"
#include "kernels/simd/lanes-inl.h"

#ifndef DUNNOCK_OPERAND
#define DUNNOCK_OPERAND
namespace dunnock {

// The left operand in the form the weight wants.
struct Operand {
  ConstRows floats;
  const Activations* quantized;  // null for float weights
};

}  // namespace dunnock
#endif

HWY_BEFORE_NAMESPACE();
namespace dunnock::HWY_NAMESPACE {

// How many tokens a tile takes: as many accumulators as the registers hold.
constexpr size_t kMaxTile = kParts > 4 ? 2 : 8 / kParts;

// How far ahead of a pass over a panel its bytes are asked for: few tokens' work is the reading.
constexpr size_t kPrefetchBytes = 2048;
template <size_t kBits>
HWY_INLINE void PrefetchStep(const uint8_t* panel) {
  for (size_t i = 0; i < kStepBytes<kBits>; i += 64) __builtin_prefetch(panel + kPrefetchBytes + i);
}

template <size_t kTokens>
struct Tile {
  FloatLanes value[kTokens];
};

// The bias of a panel's rows, if there is one.
class RowBias {
 public:
  RowBias(const Weight& weight, size_t panel_index) : any_(weight.bias.size() > 0) {
    if (any_)
      bias_ = LoadFloats(weight.bias.bytes().data() + panel_index * kPanelRows * sizeof(float));
  }
  FloatLanes AddTo(const FloatLanes& value) const { return any_ ? Add(value, bias_) : value; }

 private:
  bool any_;
  FloatLanes bias_{};
};

// ---- float weights: four partial sums over k mod 4, then (0 + 1) + (2 + 3) ----

template <WeightEncoding kEncoding, size_t kTokens>
HWY_INLINE Tile<kTokens> FloatTile(const Weight& weight, const uint8_t* panel, const Operand& x,
                                   size_t token) {
  constexpr size_t kStride = kPanelRows * (kEncoding == WeightEncoding::kF32 ? 4 : 2);
  const auto load = [&](size_t k) HWY_ATTR {
    if constexpr (kEncoding == WeightEncoding::kF32) return LoadFloats(panel + k * kStride);
    return LoadBFloat16(panel + k * kStride);
  };
  FloatLanes sum[kTokens][4];
  for (size_t t = 0; t < kTokens; ++t) {
    for (size_t j = 0; j < 4; ++j) sum[t][j] = Set(0.0f);
  }
  size_t k = 0;
  for (; k + 4 <= weight.cols; k += 4) {
    for (size_t j = 0; j < 4; ++j) {
      const FloatLanes w = load(k + j);
      for (size_t t = 0; t < kTokens; ++t) {
        sum[t][j] = Add(sum[t][j], Mul(w, Set(x.floats[token + t][k + j])));
      }
    }
  }
  for (size_t j = 0; k < weight.cols; ++k, ++j) {
    const FloatLanes w = load(k);
    for (size_t t = 0; t < kTokens; ++t)
      sum[t][j] = Add(sum[t][j], Mul(w, Set(x.floats[token + t][k])));
  }
  Tile<kTokens> out;
  for (size_t t = 0; t < kTokens; ++t) {
    out.value[t] = Add(Add(sum[t][0], sum[t][1]), Add(sum[t][2], sum[t][3]));
  }
  return out;
}

// ---- one scale a row: the whole of K in one int32 sum ----

HWY_INLINE FloatLanes RowScales(const Weight& weight, size_t panel_index) {
  return LoadFloats(weight.scales.bytes().data() + panel_index * kPanelRows * sizeof(float));
}
HWY_INLINE FloatLanes ScaleSum(const IntLanes& sum, const FloatLanes& row_scales, float x_scale) {
  return Mul(Mul(ToFloat(sum), row_scales), Set(x_scale));
}

template <size_t kBits, size_t kTokens>
HWY_INLINE Tile<kTokens> RowTile(const Weight& weight, const uint8_t* panel, size_t panel_index,
                                 const Operand& x, size_t token) {
  constexpr size_t kSums = kTokens <= 2 ? 4 : 1;  // one would not hide the latency of the dot
  const int8_t* codes[kTokens];
  IntLanes sum[kTokens][kSums];
  for (size_t t = 0; t < kTokens; ++t) {
    codes[t] = x.quantized->codes(token + t);
    sum[t][0] = StartCodes<kBits>(x.quantized->sums(token + t)[0]);
    for (size_t i = 1; i < kSums; ++i) sum[t][i] = SetI(0);
  }
  for (size_t k = 0; k < weight.cols; k += kStepCodes, panel += kStepBytes<kBits>) {
    if constexpr (kTokens <= 2) PrefetchStep<kBits>(panel);
    ForStep<kBits>(panel, [&](const Codes& w, size_t i) HWY_ATTR {
      for (size_t t = 0; t < kTokens; ++t) {
        IntLanes& to = sum[t][i % kSums];
        to = DotCodes<kBits>(to, w, LoadFour(codes[t] + k + 4 * i));
      }
    });
  }
  const FloatLanes scales = RowScales(weight, panel_index);
  Tile<kTokens> out;
  for (size_t t = 0; t < kTokens; ++t) {
    if constexpr (kSums == 4)
      sum[t][0] = AddI(AddI(sum[t][0], sum[t][1]), AddI(sum[t][2], sum[t][3]));
    out.value[t] = ScaleSum(sum[t][0], scales, x.quantized->scales(token + t)[0]);
  }
  return out;
}

// ---- scale and minimum a group: exact sums inside a group, groups added in order ----

template <size_t kBits, size_t kTokens>
HWY_INLINE Tile<kTokens> GroupedTile(const Weight& weight, const uint8_t* panel, const Operand& x,
                                     size_t token) {
  const GroupedLayout layout(weight);
  const bool has_minimums = weight.has_minimums, has_factors = weight.has_factors();
  const int8_t* codes[kTokens];
  Tile<kTokens> out;
  for (size_t t = 0; t < kTokens; ++t) {
    codes[t] = x.quantized->codes(token + t);
    out.value[t] = Set(0.0f);
  }
  size_t g = 0;
  for (size_t begin = 0; begin < weight.cols; begin += weight.block) {
    const FloatLanes block_scale = LoadFloat16(panel);
    const FloatLanes block_minimum = has_minimums ? LoadFloat16(panel + kPanelRows * 2) : Set(0.0f);
    panel += layout.head_bytes;
    for (size_t k = 0; k < weight.block; k += weight.group, ++g, panel += layout.group_bytes) {
      FloatLanes scale = block_scale, minimum = block_minimum;
      if (has_factors) {
        scale = Mul(scale, LoadInt8(panel));
        if (has_minimums) minimum = Mul(minimum, LoadInt8(panel + kPanelRows));
      }
      IntLanes sum[kTokens];
      for (size_t t = 0; t < kTokens; ++t) {
        const int32_t sum_x = x.quantized->sums(token + t)[g];
        sum[t] = has_minimums ? StartPlainCodes<kBits>(sum_x) : StartCodes<kBits>(sum_x);
      }
      const uint8_t* at = panel + layout.factor_bytes;
      for (size_t i = 0; i < weight.group; i += kStepCodes, at += kStepBytes<kBits>) {
        if constexpr (kTokens <= 2) PrefetchStep<kBits>(at);
        ForStep<kBits>(at, [&](const Codes& w, size_t j) HWY_ATTR {
          for (size_t t = 0; t < kTokens; ++t)
            sum[t] = DotCodes<kBits>(sum[t], w, LoadFour(codes[t] + i + 4 * j));
        });
      }
      for (size_t t = 0; t < kTokens; ++t) {
        codes[t] += weight.group;
        const float x_scale = x.quantized->scales(token + t)[g];
        const FloatLanes value = Mul(Mul(ToFloat(sum[t]), scale), Set(x_scale));
        out.value[t] = Add(out.value[t], value);
        if (!has_minimums) continue;
        const float sum_x = x.quantized->scaled_sums(token + t)[g];
        out.value[t] = Add(out.value[t], Mul(minimum, Set(sum_x)));
      }
    }
  }
  return out;
}

// Rows [16 p, 16 p + 16) of the product for tokens [token, token + kTokens), with bias.
template <size_t kTokens>
HWY_NOINLINE Tile<kTokens> ComputeTile(const Weight& weight, size_t p, const Operand& x,
                                       size_t token) {
  const uint8_t* const panel = weight.panels.bytes().data() + p * weight.panel_bytes;
  Tile<kTokens> out;
  switch (weight.encoding) {
    case WeightEncoding::kF32:
      out = FloatTile<WeightEncoding::kF32, kTokens>(weight, panel, x, token);
      break;
    case WeightEncoding::kBF16:
      out = FloatTile<WeightEncoding::kBF16, kTokens>(weight, panel, x, token);
      break;
    case WeightEncoding::kInt8:
      out = RowTile<8, kTokens>(weight, panel, p, x, token);
      break;
    case WeightEncoding::kInt6:
      out = RowTile<6, kTokens>(weight, panel, p, x, token);
      break;
    case WeightEncoding::kInt4:
      out = RowTile<4, kTokens>(weight, panel, p, x, token);
      break;
    case WeightEncoding::kInt8Grouped:
      out = GroupedTile<8, kTokens>(weight, panel, x, token);
      break;
    case WeightEncoding::kInt6Grouped:
      out = GroupedTile<6, kTokens>(weight, panel, x, token);
      break;
    case WeightEncoding::kInt4Grouped:
      out = GroupedTile<4, kTokens>(weight, panel, x, token);
      break;
  }
  const RowBias bias(weight, p);
  for (size_t t = 0; t < kTokens; ++t) out.value[t] = bias.AddTo(out.value[t]);
  return out;
}

// Calls body(token, tile size as a constant) over all tokens in tiles as large as fit.
template <typename Body>
HWY_INLINE void ForTiles(size_t tokens, const Body& body) {
  size_t token = 0;
  for (; token + kMaxTile <= tokens; token += kMaxTile)
    body(token, std::integral_constant<size_t, kMaxTile>());
  if constexpr (kMaxTile > 4) {
    for (; token + 4 <= tokens; token += 4) body(token, std::integral_constant<size_t, 4>());
  }
  if constexpr (kMaxTile > 2) {
    for (; token + 2 <= tokens; token += 2) body(token, std::integral_constant<size_t, 2>());
  }
  for (; token < tokens; ++token) body(token, std::integral_constant<size_t, 1>());
}

}  // namespace dunnock::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
