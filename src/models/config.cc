#include "models/config.h"

#include <algorithm>
#include <cmath>

#include "base/str.h"
#include "base/text/shown.h"

namespace dunnock {
namespace {

// "config.json: KEY is VALUE: expected WHAT"
std::unexpected<Error> Unexpected(std::string_view key, const Json& found,
                                  std::string_view expected) {
  return Invalid(Str("config.json: ", key, " is ", Shown(found), ": expected ", expected));
}

// The number of that key, strictly above `low` (or at least, if `closed`) and below `high`.
Result<double> NumberIn(const Json& object, std::string_view key, double fallback, double low,
                        bool closed, double high, std::string_view expected) {
  const Json* value = FindMember(object, key);
  if (value == nullptr) return fallback;
  const double number = value->is_number() ? value->get<double>() : NAN;
  if (!((closed ? number >= low : number > low) && number < high))
    return Unexpected(key, *value, expected);
  return number;
}

}  // namespace

Result<size_t> ConfigSize(const Json& config, std::string_view key, int64_t most) {
  auto value = RequiredInt(config, key, 1, most);
  if (!value) return In("config.json", std::move(value).error());
  return static_cast<size_t>(*value);
}

Result<size_t> ConfigSizeOr(const Json& config, std::string_view key, size_t fallback,
                            int64_t most) {
  if (FindMember(config, key) == nullptr) return fallback;
  return ConfigSize(config, key, most);
}

Result<float> ConfigEpsilon(const Json& config, std::string_view key, float fallback) {
  DUNNOCK_TRY(const double value,
              NumberIn(config, key, fallback, 0, true, 1, "a number from 0 to 1"));
  return static_cast<float>(value);
}

Result<bool> ConfigFlag(const Json& config, std::string_view key, bool fallback) {
  const Json* value = FindMember(config, key);
  if (value == nullptr) return fallback;
  if (!value->is_boolean()) return Unexpected(key, *value, "true or false");
  return value->get<bool>();
}

Result<double> ConfigRopeTheta(const Json& config, std::string_view key, double fallback) {
  constexpr double kMost = 1e12;
  const auto theta = [&](const Json& object, std::string_view name, double otherwise) {
    return NumberIn(object, name, otherwise, 1, false, kMost, "a number above 1");
  };
  DUNNOCK_TRY(const double top, theta(config, key, fallback));
  for (const char* name : {"rope_scaling", "rope_parameters"}) {
    const Json* rope = FindMember(config, name);
    if (rope == nullptr || rope->empty()) continue;
    if (!rope->is_object()) return Unexpected(name, *rope, "an object");
    const std::string type =
        FindString(*rope, "rope_type").value_or(FindString(*rope, "type").value_or("default"));
    if (type != "default")
      return Unsupported(
          Str("config.json: ", name, " of type \"", type, "\": expected \"default\""));
    for (const auto& [part, value] : rope->items()) {
      if (value.is_object())
        return Unsupported(
            Str("config.json: ", name, " differs by layer (\"", part, "\"): expected one for all"));
    }
    return theta(*rope, "rope_theta", top);
  }
  return top;
}

Result<std::vector<bool>> ConfigRotatedLayers(const Json& config, size_t layers) {
  std::vector<bool> out(layers);
  const Json* list = FindMember(config, "no_rope_layers");
  if (list == nullptr) {
    DUNNOCK_TRY(const size_t interval, ConfigSizeOr(config, "no_rope_layer_interval", 4));
    for (size_t i = 0; i < layers; ++i) out[i] = (i + 1) % interval != 0;
    return out;
  }
  const bool is_list =
      list->is_array() && list->size() >= layers &&
      std::all_of(list->begin(), list->end(), [](const Json& v) { return v.is_number_integer(); });
  if (!is_list)
    return Unexpected("no_rope_layers", *list, Str("a list of at least ", layers, " integers"));
  for (size_t i = 0; i < layers; ++i) out[i] = (*list)[i].get<int64_t>() != 0;
  return out;
}

Result<size_t> ConfigHeadDim(const Json& config, size_t hidden, size_t heads) {
  if (FindMember(config, "head_dim") == nullptr && hidden % heads != 0) {
    return Invalid(Str("config.json: hidden_size ", hidden,
                       " is not a multiple of num_attention_heads ", heads));
  }
  return ConfigSizeOr(config, "head_dim", hidden / heads);
}

Result<size_t> ConfigLabels(const Json& config, std::string_view architecture) {
  const Json* names = FindMember(config, "architectures");
  if (names == nullptr || !names->is_array() || names->empty() || names->front() != architecture)
    return 0;
  const Json* labels = FindMember(config, "id2label");
  if (labels == nullptr) return ConfigSizeOr(config, "num_labels", 2);
  if (!labels->is_object() || labels->empty())
    return Invalid(Str("config.json: id2label is ", Shown(*labels), ": expected names by id"));
  return labels->size();
}

Status CheckHeads(const std::string& where, size_t heads, size_t kv_heads, size_t head_dim) {
  const std::string what =
      Str("config.json: ", where, "num_attention_heads ", heads, ", num_key_value_heads ", kv_heads,
          ", head_dim ", head_dim, ": expected ");
  if (heads == 0 || kv_heads == 0 || heads % kv_heads != 0)
    return Invalid(what + "a whole number of query heads per head of keys");
  if (head_dim == 0 || head_dim % 2 != 0 || head_dim > kMostHeadDim)
    return Invalid(Str(what, "an even head_dim up to ", kMostHeadDim));
  if (uint64_t{heads} * head_dim > kMostOfAnything)
    return Invalid(Str(what, "heads times head_dim up to ", kMostOfAnything));
  return {};
}

Status RequireActivation(const Json& config, std::string_view key,
                         std::span<const std::string_view> names) {
  const Json* value = FindMember(config, key);
  if (value == nullptr) return {};
  for (const std::string_view name : names) {
    if (value->is_string() && value->get_ref<const std::string&>() == name) return {};
  }
  return Unsupported(
      Str("config.json: ", key, " is ", Shown(*value), ": expected \"", names.front(), "\""));
}

}  // namespace dunnock
