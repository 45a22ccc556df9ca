#pragma once
// Numbers from config.json on their way to sizes of memory: each is held to a range before anything
// is made of it, so that no product of two wraps and no kernel meets a shape it was not made for.
// An error names the key, the value and what is expected.

#include <cstddef>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "base/settings.h"

namespace dunnock {

// The most of anything that is counted: rows, columns, tokens. No product of two of them overflows
// 64 bits, on any machine.
inline constexpr int64_t kMostOfAnything = 1 << 24;
inline constexpr size_t kMostLayers = 4096;
inline constexpr size_t kMostHeadDim = 1024;  // what attention keeps of a head on the stack
inline constexpr size_t kMostRopePositions = 1 << 20;  // what the angles are exact enough for

// The whole number of that key as a size from 1 to `most`; `fallback` when the key is absent.
Result<size_t> ConfigSize(const Json& config, std::string_view key, int64_t most = kMostOfAnything);
Result<size_t> ConfigSizeOr(const Json& config, std::string_view key, size_t fallback,
                            int64_t most = kMostOfAnything);

// The epsilon of a norm: at least 0 and below 1; null and absent: `fallback`.
Result<float> ConfigEpsilon(const Json& config, std::string_view key, float fallback);

// true or false; null and absent: `fallback`.
Result<bool> ConfigFlag(const Json& config, std::string_view key, bool fallback);

// The base of rotary positions as transformers 5 finds it: in rope_scaling, else in
// rope_parameters, else at the top under `key`, else `fallback`. A type other than "default" is
// refused.
Result<double> ConfigRopeTheta(const Json& config, std::string_view key, double fallback);

// Which layers rotate queries and keys: those with another number than 0 in the list no_rope_layers
// (whatever its name says), which may be longer than there are layers; where it is absent, all but
// every no_rope_layer_interval-th.
Result<std::vector<bool>> ConfigRotatedLayers(const Json& config, size_t layers);

// head_dim where it is given, else hidden / heads, which must then be a whole number.
Result<size_t> ConfigHeadDim(const Json& config, size_t hidden, size_t heads);

// The number of labels of the classifier `architecture`: 0 if config.json is of another, and the
// names of the labels win over their number. Two are the default that transformers does not write
// down.
Result<size_t> ConfigLabels(const Json& config, std::string_view architecture);

// heads * head_dim, and what is asked of both: a whole number of query heads per kv head, an even
// number of dimensions that attention takes.
Status CheckHeads(const std::string& where, size_t heads, size_t kv_heads, size_t head_dim);

// hidden_act (OpenELM: activation_fn_name) must be one of the names given, as the kernels compute
// only those.
Status RequireActivation(const Json& config, std::string_view key,
                         std::span<const std::string_view> names);

// Checks all of config.json against what is done with each key of that architecture: adds notes, or
// refuses (settings.cc has the tables).
Status CheckConfigSettings(std::vector<std::string>* notes, const Json& config);

// A table of keys of config.json, in the order in which docs/settings.md shows them.
struct ConfigTable {
  std::string_view model_type;  // "": the keys of every architecture
  std::string_view title;       // "a Llama"
  std::span<const Setting> settings;
};
std::span<const ConfigTable> ConfigTables();

}  // namespace dunnock
