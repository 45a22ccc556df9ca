#pragma once
// One checksum over everything a model computes for a list of token ids: the logits of every
// position, or an encoder's last hidden states. It proves that the numbers depend on the ids alone:
// taken under any BitsOptions, number of threads or kernel target, the checksum must be the same.

#include "runtime/engine.h"

namespace dunnock {

struct BitsOptions {
  size_t split = 0;  // the first pass runs this many tokens, a second one the rest; 0: one pass
  size_t batch = 1;  // sequences per pass: these ids, and others with other tokens and lengths
};

// Runs `ids` with the engine's pool and KV-cache encoding on the kernel target in use. Errors:
// kInvalid for an id outside the vocabulary, a batch of 0 or a split that is not inside the ids;
// kLimit for more ids than the model has positions; kUnsupported for a split with an encoder;
// kMemory.
Result<uint64_t> ChecksumBits(const Engine& engine, std::span<const int32_t> ids,
                              const BitsOptions& options);

}  // namespace dunnock
