#pragma once
// The proof that a model's numbers depend on its ids alone: one checksum over the logits of every
// position (of an encoder: over its last hidden states), taken under conditions that may not
// matter.

#include "runtime/engine.h"

namespace dunnock {

struct BitsOptions {
  size_t split = 0;  // the first pass has this many tokens, a second one the rest; 0: one pass
  size_t batch = 1;  // sequences that run together; the others have other tokens and lengths
};

// The engine's threads and KV cache, and the kernels' target, are those of the moment.
Result<uint64_t> ChecksumBits(const Engine& engine, std::span<const int32_t> ids,
                              const BitsOptions& options);

}  // namespace dunnock
