#pragma once
// The sizes of an OpenELM. Its layers differ: config.json gives them as lists, or as two numbers
// between which a line is drawn, or leaves them to be computed from multipliers.

#include <cstddef>
#include <vector>

#include "base/json.h"
#include "base/result.h"

namespace dunnock {

struct OpenElmLayerShape {
  size_t heads, kv_heads, ffn;
};

struct OpenElmConfig {
  size_t hidden, head_dim, vocab, context;
  double rope_theta;
  std::vector<OpenElmLayerShape> layers;
};

// Reads config.json. The error names the key, the value and what is expected.
Result<OpenElmConfig> ParseOpenElmConfig(const Json& json);

}  // namespace dunnock
