#pragma once
// generation_config.json: what transformers' generate() does with a model by default. A folder
// without this file may have the same keys in config.json.

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
  std::optional<size_t> max_length;  // prompt and reply together; max_new_tokens takes precedence
};

// `file` is the name of the file that `json` comes from, for messages. Adds to `notes` what the
// file asks for and is not done (GenerationSettings). kInvalid: a value of the wrong type or out of
// range.
Result<GenerationConfig> ReadGenerationConfig(std::vector<std::string>* notes,
                                              const std::string& file, const Json& json);

// What is done with each key.
std::span<const Setting> GenerationSettings();

}  // namespace dunnock
