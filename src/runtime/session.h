#pragma once
// Session: one conversation with a causal model, its KV cache and what is in it. A prompt that
// begins like the last one only costs its new part. Not for use from two threads at once.

#include <atomic>
#include <functional>

#include "runtime/engine.h"
#include "runtime/generation.h"

namespace dunnock {

class Session {
 public:
  // context_length 0: the model's own. It may not exceed that.
  static Result<Session> Create(const Engine& engine, size_t context_length = 0);

  // Memory that cannot be had and logits that are not finite are errors; the session then still
  // holds what it had computed.
  Result<Reply> Generate(std::span<const int32_t> prompt, const GenerateOptions& options);

  // Logits of the positions from `first` of the ids, a block of rows at a time, in order: for
  // evaluation and comparison. Leaves the ids in the cache.
  using LogitsFn = std::function<void(size_t position, std::span<const float> logits)>;
  Status EachLogits(std::span<const int32_t> ids, size_t first, const LogitsFn& each);

  // An error where an id is none of the model's vocabulary, or there is none at all.
  Status CheckIds(std::span<const int32_t> ids) const { return engine_->CheckIds(ids); }

  size_t context_length() const { return cache_.capacity(); }
  size_t used() const { return ids_.size(); }
  void Clear() { Truncate(0); }
  void Truncate(size_t length);

 private:
  Session(const Engine& engine, size_t context_length);
  // Runs ids behind what is in the cache; the result holds the hidden states of the last `wanted`.
  // Throws OutOfMemory; the cache then is as it was.
  // An error where a hidden state is not finite: weights are broken or too large, and whatever
  // follows would be a guess. No rows where `cancel` was set meanwhile.
  Result<ConstRows> Run(std::span<const int32_t> ids, size_t wanted,
                        const std::atomic<bool>* cancel = nullptr);
  // Logits of some hidden states, the first of which is that of `position`; the same of them.
  Result<Rows> FiniteLogits(ConstRows hidden, size_t position);
  Status EachLogitsOrThrow(std::span<const int32_t> ids, size_t first, const LogitsFn& each);
  Result<Reply> GenerateOrThrow(std::span<const int32_t> prompt, const GenerateOptions& options);

  const Engine* engine_;
  KvCache cache_;
  std::vector<int32_t> ids_;  // in the cache
  Scratch scratch_;
  AlignedBuffer hidden_, logits_;
  BatchBuilder batch_;
};

}  // namespace dunnock
