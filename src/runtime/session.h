#pragma once
// Session: one conversation with a causal model, its KV cache and what is in it. A prompt that
// begins like the last one only costs its new part. Not for use from two threads at once.

#include <atomic>
#include <functional>
#include <string>

#include "runtime/engine.h"
#include "runtime/sampler.h"

namespace dunnock {

enum class FinishReason { kStop, kLength, kCancelled };
std::string_view NameOf(FinishReason reason);  // "stop", "length", "cancelled"

struct GenerateOptions {
  SamplingOptions sampling;
  size_t max_tokens = 0;  // 0: until the context is full
  // Texts that end the reply, beside the generation config's; found where text is decoded.
  std::vector<std::string> stop;
  size_t prompt_lookup = 0;  // most tokens guessed a pass (prompt_lookup.h); same reply
  bool ignore_stop_ids = false;
  bool decode_text = true;  // false: ids only, no tokenizer needed
  const std::atomic<bool>* cancel = nullptr;
  // Text as it comes, whole UTF-8 characters; false ends the reply, and no more text is shown.
  std::function<bool(std::string_view text)> on_text;
  ProgressFn on_prefill;
};

struct Reply {
  std::vector<int32_t> ids;  // without the stop id
  std::string text;
  FinishReason finish_reason = FinishReason::kStop;
  size_t prompt_tokens = 0, cached_tokens = 0;  // cached: already in the KV cache
  size_t guessed_tokens = 0, right_tokens = 0;  // of prompt-lookup decoding
  double prompt_ms = 0, decode_ms = 0, first_token_ms = 0;
  uint64_t checksum = 0;  // of the bits of every logits vector, in order
};

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

  size_t context_length() const { return cache_.capacity(); }
  size_t used() const { return ids_.size(); }
  void Clear() { Truncate(0); }
  void Truncate(size_t length);

 private:
  Session(const Engine& engine, size_t context_length);
  // Runs ids behind what is in the cache; the result holds the hidden states of the last `wanted`.
  // Throws OutOfMemory; the cache then is as it was.
  // An error where a hidden state is not finite: weights are broken or too large, and whatever
  // follows would be a guess.
  Result<ConstRows> Run(std::span<const int32_t> ids, size_t wanted);
  // Logits of some hidden states, the first of which is that of `position`; the same of them.
  Result<Rows> FiniteLogits(ConstRows hidden, size_t position);
  Status EachLogitsOrThrow(std::span<const int32_t> ids, size_t first, const LogitsFn& each);
  Result<Reply> GenerateOrThrow(std::span<const int32_t> prompt, const GenerateOptions& options);

  const Engine* engine_;
  KvCache cache_;
  std::vector<int32_t> ids_;  // in the cache
  Scratch scratch_;
  AlignedBuffer hidden_, logits_;
  std::vector<uint32_t> positions_;
};

// Folds the bits of a logits vector into a running checksum.
uint64_t FoldChecksum(uint64_t checksum, std::span<const float> logits);
std::string HexChecksum(uint64_t checksum);  // 16 digits

}  // namespace dunnock
