#pragma once
// Session: one conversation with a causal model: its KV cache and the ids in it. If a prompt begins
// like the ids in the cache, only the rest of it is computed. A session is for one thread at a
// time; sessions on one engine may run at once. The engine must outlive it.

#include <atomic>
#include <functional>

#include "runtime/engine.h"
#include "runtime/generation.h"

namespace dunnock {

class Session {
 public:
  // context_length is the capacity of the KV cache in tokens; 0: the model's own. Errors:
  // kUnsupported for an encoder, kLimit for more than the model's own. The cache takes memory as it
  // fills.
  static Result<Session> Create(const Engine& engine, size_t context_length = 0);

  // Generates a reply. `prompt` is the whole conversation, not its new part. Returns when the reply
  // ends; a cancelled reply is a result, not an error. Errors: those of Generation::Create;
  // kMemory; kInvalid for hidden states or logits that are not finite. The session stays usable
  // after an error and keeps the tokens that it had computed.
  Result<Reply> Generate(std::span<const int32_t> prompt, const GenerateOptions& options);

  // Runs the ids from an empty cache and calls each(position, logits (vocab_size)) for every
  // position from `first`, in order, on the calling thread. For evaluation and comparison. Leaves
  // the ids in the cache. Errors: as Generate; kLimit for more ids than context_length().
  using LogitsFn = std::function<void(size_t position, std::span<const float> logits)>;
  Status EachLogits(std::span<const int32_t> ids, size_t first, const LogitsFn& each);
  // The same for ids that follow those in the cache, every position of them; `position` counts from
  // the beginning of the cache. A text may run in pieces: no bit of the logits depends on them.
  Status AppendLogits(std::span<const int32_t> ids, const LogitsFn& each);

  // See Engine::CheckIds.
  Status CheckIds(std::span<const int32_t> ids) const { return engine_->CheckIds(ids); }

  size_t context_length() const { return cache_.capacity(); }
  size_t used() const { return ids_.size(); }  // tokens in the cache
  void Clear() { Truncate(0); }
  // Forgets all but the first `length` tokens; length <= used().
  void Truncate(size_t length);

 private:
  Session(const Engine& engine, size_t context_length);
  // Runs ids after those in the cache. The result holds the hidden states of the last `wanted` of
  // them, valid until the next Run; it has no rows if `cancel` was set meanwhile. kInvalid if a
  // hidden state is not finite: the weights are broken or too large. Throws OutOfMemory. Unless it
  // succeeds, the cache is as it was.
  Result<ConstRows> Run(std::span<const int32_t> ids, size_t wanted,
                        const std::atomic<bool>* cancel = nullptr);
  // The logits of some hidden states, the first of which is at `position`; kInvalid if they are not
  // finite.
  Result<Rows> FiniteLogits(ConstRows hidden, size_t position);
  Status AppendLogitsOrThrow(std::span<const int32_t> ids, size_t first, const LogitsFn& each);
  Result<Reply> GenerateOrThrow(std::span<const int32_t> prompt, const GenerateOptions& options);

  const Engine* engine_;
  KvCache cache_;
  std::vector<int32_t> ids_;  // in the cache
  Scratch scratch_;
  AlignedBuffer hidden_, logits_;
  BatchBuilder batch_;
};

}  // namespace dunnock
