#include "models/openelm_config.h"

#include <algorithm>
#include <cmath>

#include "base/str.h"
#include "models/config.h"

namespace dunnock {
namespace {

// The multiple of divisor that is nearest, at least one, and not below nine tenths of what was
// asked for.
uint64_t MakeDivisible(double value, uint64_t divisor) {
  const double step = static_cast<double>(divisor);
  double out = std::max(step, std::floor((value + step / 2) / step) * step);
  if (out < 0.9 * value) out += step;
  return static_cast<uint64_t>(out);
}

// A number for each layer: a list of them, one for all, or two to draw a line between.
Result<std::vector<double>> Spread(const Json& json, std::string_view key, size_t layers) {
  constexpr double kMost = 1 << 16;
  const Json* value = FindMember(json, key);
  std::vector<double> given;
  if (value != nullptr && value->is_number()) given.push_back(value->get<double>());
  if (value != nullptr && value->is_array()) {
    for (const Json& v : *value) given.push_back(v.is_number() ? v.get<double>() : NAN);
  }
  if (!std::all_of(given.begin(), given.end(), [](double v) { return v > 0 && v < kMost; }))
    given.clear();
  if (given.size() == 1) given.resize(layers, given[0]);
  if (given.size() == layers) return given;
  if (given.size() != 2) {
    return Invalid(Str("config.json: ", key, ": expected a positive number, two, or ", layers,
                       ", one per layer"));
  }
  std::vector<double> out(layers);
  for (size_t i = 0; i < layers; ++i) {
    const double at = layers == 1 ? 0 : static_cast<double>(i) / static_cast<double>(layers - 1);
    out[i] = std::nearbyint((given[0] + (given[1] - given[0]) * at) * 100) / 100;
  }
  return out;
}

}  // namespace

Result<OpenElmConfig> ParseOpenElmConfig(const Json& json) {
  constexpr std::string_view kActivations[] = {"swish", "silu"};
  DUNNOCK_TRY_STATUS(RequireActivation(json, "activation_fn_name", kActivations));
  for (const char* key :
       {"ffn_with_glu", "normalize_qk_projections", "share_input_output_layers"}) {
    DUNNOCK_TRY(const bool on, ConfigFlag(json, key, true));
    if (!on) return Unsupported(Str("config.json: ", key, " is false: expected true"));
  }
  OpenElmConfig c{};
  DUNNOCK_TRY(c.hidden, ConfigSize(json, "model_dim"));
  DUNNOCK_TRY(c.head_dim, ConfigSize(json, "head_dim"));
  DUNNOCK_TRY(c.vocab, ConfigSize(json, "vocab_size"));
  DUNNOCK_TRY(c.context, ConfigSizeOr(json, "max_context_length", 2048, kMostRopePositions));
  DUNNOCK_TRY(const size_t layers, ConfigSize(json, "num_transformer_layers", kMostLayers));
  DUNNOCK_TRY(const size_t groups, ConfigSizeOr(json, "num_gqa_groups", 1));
  DUNNOCK_TRY(const size_t divisor, ConfigSizeOr(json, "ffn_dim_divisor", 256));
  DUNNOCK_TRY(c.rope_theta, ConfigRopeTheta(json, "rope_freq_constant", 10000));
  const bool listed = FindMember(json, "num_query_heads") != nullptr;
  DUNNOCK_TRY(const auto widths,
              Spread(json, listed ? "num_query_heads" : "qkv_multipliers", layers));
  DUNNOCK_TRY(const auto ffn, Spread(json, "ffn_multipliers", layers));
  std::vector<double> kv_heads;
  if (FindMember(json, "num_kv_heads") != nullptr) {
    DUNNOCK_TRY(kv_heads, Spread(json, "num_kv_heads", layers));
  }
  const double hidden = static_cast<double>(c.hidden);
  for (size_t i = 0; i < layers; ++i) {
    OpenElmLayerShape shape{};
    const uint64_t q_cols =
        listed ? 0 : MakeDivisible(hidden * widths[i], uint64_t{c.head_dim} * groups);
    const uint64_t ffn_cols = MakeDivisible(hidden * ffn[i], divisor);
    if (q_cols > kMostOfAnything || ffn_cols > kMostOfAnything) {
      return Invalid(Str("config.json: layer ", i, " is ", std::max(q_cols, ffn_cols),
                         " wide: expected up to ", kMostOfAnything));
    }
    shape.heads =
        static_cast<size_t>(listed ? static_cast<uint64_t>(widths[i]) : q_cols / c.head_dim);
    shape.kv_heads = kv_heads.empty() ? shape.heads / groups : static_cast<size_t>(kv_heads[i]);
    shape.ffn = static_cast<size_t>(ffn_cols);
    DUNNOCK_TRY_STATUS(CheckHeads(Str("layer ", i, ": "), shape.heads, shape.kv_heads, c.head_dim));
    c.layers.push_back(shape);
  }
  return c;
}

}  // namespace dunnock
