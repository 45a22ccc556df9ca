#pragma once
// One maker per architecture, each defined in a file of its own; the table in models/model.cc says
// which model_type uses which. To add one: docs/adding-a-model.md.

#include <memory>

#include "models/model.h"

namespace dunnock {

// What a relative of Llama takes where its config.json is silent: the defaults of its config class
// in the reference implementation.
struct LlamaTraits {
  size_t kv_heads = 0;  // 0: as many as query heads
  size_t context = 2048;
  double rope_theta = 10000;
  bool tied = false;              // the head is the embedding
  bool rotates_by_layer = false;  // ConfigRotatedLayers says which layers rotate queries and keys
};

Result<std::unique_ptr<Model>> MakeLlama(const Json& config, const LlamaTraits& traits);
Result<std::unique_ptr<Model>> MakeBert(const Json& config);
Result<std::unique_ptr<Model>> MakeOpenElm(const Json& config);

}  // namespace dunnock
