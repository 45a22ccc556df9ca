#pragma once
// generation_config.json: what transformers' generate() would do with the model by default. Where
// there is none, config.json is read for the same keys, as there.

#include <optional>
#include <string>
#include <vector>

#include "base/settings.h"
#include "runtime/sampling/sampler.h"

namespace dunnock {

struct GenerationConfig {
  SamplingOptions sampling;  // greedy unless do_sample is true
  std::vector<int32_t> eos_ids;
  std::vector<std::string> stop_strings;
  std::optional<size_t> max_new_tokens;
  std::optional<size_t> max_length;  // of prompt and reply; max_new_tokens wins
};

// `file` is the name of what `json` was read from. A value of the wrong type is an error.
Result<GenerationConfig> ReadGenerationConfig(std::vector<std::string>* notes,
                                              const std::string& file, const Json& json);

std::span<const Setting> GenerationSettings();

}  // namespace dunnock
