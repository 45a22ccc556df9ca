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
#include "kernels/dot-inl.h"
#include "kernels/lanes-inl.h"

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

// How far ahead of a pass over a panel its bytes are asked for: one token's work is the reading.
constexpr size_t kPrefetchBytes = 2048;

template <size_t kTokens>
struct Tile {
  F16 value[kTokens];
};

// The bias of a panel's rows, if there is one.
class RowBias {
 public:
  RowBias(const Weight& weight, size_t panel_index) : any_(weight.bias.size() > 0) {
    if (any_)
      bias_ = LoadFloats(weight.bias.bytes().data() + panel_index * kPanelRows * sizeof(float));
  }
  F16 AddTo(const F16& value) const { return any_ ? Add(value, bias_) : value; }

 private:
  bool any_;
  F16 bias_{};
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
  F16 sum[kTokens][4];
  for (size_t t = 0; t < kTokens; ++t) {
    for (size_t j = 0; j < 4; ++j) sum[t][j] = Set(0.0f);
  }
  size_t k = 0;
  for (; k + 4 <= weight.cols; k += 4) {
    for (size_t j = 0; j < 4; ++j) {
      const F16 w = load(k + j);
      for (size_t t = 0; t < kTokens; ++t) {
        sum[t][j] = Add(sum[t][j], Mul(w, Set(x.floats[token + t][k + j])));
      }
    }
  }
  for (size_t j = 0; k < weight.cols; ++k, ++j) {
    const F16 w = load(k);
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

HWY_INLINE F16 RowScales(const Weight& weight, size_t panel_index) {
  return LoadFloats(weight.scales.bytes().data() + panel_index * kPanelRows * sizeof(float));
}
HWY_INLINE F16 ScaleSum(const I16& sum, const F16& row_scales, float x_scale) {
  return Mul(Mul(ToFloat(sum), row_scales), Set(x_scale));
}

template <size_t kTokens>
HWY_INLINE Tile<kTokens> ScaleRows(const Weight& weight, size_t panel_index, const Activations& x,
                                   size_t token, const I16 (&sum)[kTokens]) {
  const F16 scales = RowScales(weight, panel_index);
  Tile<kTokens> out;
  for (size_t t = 0; t < kTokens; ++t)
    out.value[t] = ScaleSum(sum[t], scales, x.scales(token + t)[0]);
  return out;
}

template <size_t kTokens>
HWY_INLINE Tile<kTokens> Int8Tile(const Weight& weight, const uint8_t* panel, size_t panel_index,
                                  const Operand& x, size_t token) {
  const int8_t* codes[kTokens];
  I16 sum[kTokens];
  for (size_t t = 0; t < kTokens; ++t) {
    codes[t] = x.quantized->codes(token + t);
    sum[t] = StartCodes8(x.quantized->sums(token + t)[0]);
  }
  const size_t chunks = (weight.cols + 3) / 4;
  size_t c = 0;
  if constexpr (kTokens == 1) {  // more sums than one hide the latency of the dot
    I16 more[3] = {SetI(0), SetI(0), SetI(0)};
    for (; c + 4 <= chunks; c += 4) {
      const uint8_t* w = panel + c * 64;
      for (size_t i = 0; i < 4; ++i) __builtin_prefetch(w + kPrefetchBytes + i * 64);
      const int8_t* v = codes[0] + c * 4;
      sum[0] = DotCodes8(sum[0], LoadCodes(w), LoadFour(v));
      more[0] = DotCodes8(more[0], LoadCodes(w + 64), LoadFour(v + 4));
      more[1] = DotCodes8(more[1], LoadCodes(w + 128), LoadFour(v + 8));
      more[2] = DotCodes8(more[2], LoadCodes(w + 192), LoadFour(v + 12));
    }
    sum[0] = AddI(AddI(sum[0], more[0]), AddI(more[1], more[2]));
  }
  for (; c < chunks; ++c) {
    const Codes w = LoadCodes(panel + c * 64);
    for (size_t t = 0; t < kTokens; ++t) sum[t] = DotCodes8(sum[t], w, LoadFour(codes[t] + c * 4));
  }
  return ScaleRows(weight, panel_index, *x.quantized, token, sum);
}

template <size_t kTokens>
HWY_INLINE Tile<kTokens> Int4Tile(const Weight& weight, const uint8_t* panel, size_t panel_index,
                                  const Operand& x, size_t token) {
  const int8_t* codes[kTokens];
  I16 low[kTokens], high[kTokens];
  for (size_t t = 0; t < kTokens; ++t) {
    codes[t] = x.quantized->codes(token + t);
    low[t] = SetI(-8 * x.quantized->sums(token + t)[0]);
    high[t] = SetI(0);
  }
  const size_t blocks = (weight.cols + 7) / 8;
  const auto add = [&](size_t b, I16* to_low, I16* to_high) HWY_ATTR {
    const Codes w = LoadCodes(panel + b * 64);
    const Codes w_low = LowNibbles(w), w_high = HighNibbles(w);
    for (size_t t = 0; t < kTokens; ++t) {
      to_low[t] = DotCodes7(to_low[t], w_low, LoadFour(codes[t] + b * 8));
      to_high[t] = DotCodes7(to_high[t], w_high, LoadFour(codes[t] + b * 8 + 4));
    }
  };
  size_t b = 0;
  if constexpr (kTokens == 1) {  // four sums hide the latency of the dot
    I16 more_low[1] = {SetI(0)}, more_high[1] = {SetI(0)};
    for (; b + 2 <= blocks; b += 2) {
      __builtin_prefetch(panel + b * 64 + kPrefetchBytes);
      __builtin_prefetch(panel + b * 64 + kPrefetchBytes + 64);
      add(b, low, high);
      add(b + 1, more_low, more_high);
    }
    low[0] = AddI(low[0], more_low[0]);
    high[0] = AddI(high[0], more_high[0]);
  }
  for (; b < blocks; ++b) add(b, low, high);
  I16 sum[kTokens];
  for (size_t t = 0; t < kTokens; ++t) sum[t] = AddI(low[t], high[t]);
  return ScaleRows(weight, panel_index, *x.quantized, token, sum);
}

// ---- scale and minimum a group: exact sums inside a group, groups added in order ----

// Adds to each sum the dot of a group's codes with x. The codes of 8 bits are around 128.
template <WeightEncoding kEncoding, size_t kTokens>
HWY_INLINE void AddGroup(I16 (&sum)[kTokens], const uint8_t* panel, size_t group,
                         const int8_t* const (&x)[kTokens]) {
  const auto add = [&](const Codes& codes, size_t k) HWY_ATTR {
    for (size_t t = 0; t < kTokens; ++t) sum[t] = DotCodes7(sum[t], codes, LoadFour(x[t] + k));
  };
  const auto load = [&]() HWY_ATTR {
    if constexpr (kTokens == 1) __builtin_prefetch(panel + kPrefetchBytes);
    const Codes codes = LoadCodes(panel);
    panel += 64;
    return codes;
  };
  if constexpr (kEncoding == WeightEncoding::kInt4Grouped) {
    for (size_t k = 0; k < group; k += 8) {
      const Codes codes = load();
      add(LowNibbles(codes), k);
      add(HighNibbles(codes), k + 4);
    }
  } else if constexpr (kEncoding == WeightEncoding::kInt6Grouped) {
    for (size_t k = 0; k < group; k += 16) {
      const Codes first = load(), second = load(), high = load();
      add(WithHighBits<0>(LowNibbles(first), high), k);
      add(WithHighBits<1>(HighNibbles(first), high), k + 4);
      add(WithHighBits<2>(LowNibbles(second), high), k + 8);
      add(WithHighBits<3>(HighNibbles(second), high), k + 12);
    }
  } else {
    for (size_t k = 0; k < group; k += 4) {
      const Codes codes = load();
      for (size_t t = 0; t < kTokens; ++t) sum[t] = DotCodes8(sum[t], codes, LoadFour(x[t] + k));
    }
  }
}

template <WeightEncoding kEncoding, size_t kTokens>
HWY_INLINE Tile<kTokens> GroupedTile(const Weight& weight, const uint8_t* panel, const Operand& x,
                                     size_t token) {
  const GroupedLayout layout(weight);
  const bool has_minimums = weight.has_minimums, has_factors = weight.has_factors();
  const int32_t centre = has_minimums ? 0 : CentreOf(kEncoding);
  const int8_t* codes[kTokens];
  Tile<kTokens> out;
  for (size_t t = 0; t < kTokens; ++t) {
    codes[t] = x.quantized->codes(token + t);
    out.value[t] = Set(0.0f);
  }
  size_t g = 0;
  for (size_t begin = 0; begin < weight.cols; begin += weight.block) {
    const F16 block_scale = LoadFloat16(panel);
    const F16 block_minimum = has_minimums ? LoadFloat16(panel + kPanelRows * 2) : Set(0.0f);
    panel += layout.head_bytes;
    for (size_t k = 0; k < weight.block; k += weight.group, ++g, panel += layout.group_bytes) {
      F16 scale = block_scale, minimum = block_minimum;
      if (has_factors) {
        scale = Mul(scale, LoadInt8(panel));
        if (has_minimums) minimum = Mul(minimum, LoadInt8(panel + kPanelRows));
      }
      I16 sum[kTokens];
      for (size_t t = 0; t < kTokens; ++t) {
        const int32_t sum_x = x.quantized->sums(token + t)[g];
        sum[t] = kEncoding == WeightEncoding::kInt8Grouped
                     ? AddI(StartCodes8(sum_x), SetI((128 - centre) * sum_x))
                     : SetI(-centre * sum_x);
      }
      AddGroup<kEncoding>(sum, panel + layout.factor_bytes, weight.group, codes);
      for (size_t t = 0; t < kTokens; ++t) {
        codes[t] += weight.group;
        const float x_scale = x.quantized->scales(token + t)[g];
        const F16 value = Mul(Mul(ToFloat(sum[t]), scale), Set(x_scale));
        out.value[t] = Add(out.value[t], value);
        if (!has_minimums) continue;
        const float sum_x = static_cast<float>(x.quantized->sums(token + t)[g]) * x_scale;
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
      out = Int8Tile<kTokens>(weight, panel, p, x, token);
      break;
    case WeightEncoding::kInt4:
      out = Int4Tile<kTokens>(weight, panel, p, x, token);
      break;
    case WeightEncoding::kInt8Grouped:
      out = GroupedTile<WeightEncoding::kInt8Grouped, kTokens>(weight, panel, x, token);
      break;
    case WeightEncoding::kInt6Grouped:
      out = GroupedTile<WeightEncoding::kInt6Grouped, kTokens>(weight, panel, x, token);
      break;
    case WeightEncoding::kInt4Grouped:
      out = GroupedTile<WeightEncoding::kInt4Grouped, kTokens>(weight, panel, x, token);
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
