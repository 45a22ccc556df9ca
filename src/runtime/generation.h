#pragma once
// Generation: one reply in the making, apart from the cache that its tokens run through. It says
// what to run, takes the logits of that, draws, and knows when the reply ends; a session drives
// one, a scheduler may drive many whose tokens share a batch.

#include <atomic>
#include <chrono>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "runtime/engine.h"
#include "runtime/sampling/prompt_lookup.h"
#include "runtime/sampling/sampler.h"
#include "runtime/sampling/stop.h"
#include "tensor/rows.h"

namespace dunnock {

enum class FinishReason { kStop, kLength, kCancelled };
std::string_view NameOf(FinishReason reason);  // "stop", "length", "cancelled"

struct GenerateOptions {
  SamplingOptions sampling;
  size_t max_tokens = 0;  // 0: until the context is full
  // Texts that end the reply, beside the generation config's; found where text is decoded.
  std::vector<std::string> stop;
  size_t prompt_lookup = 0;  // most tokens guessed a pass (sampling/prompt_lookup.h); same reply
  bool ignore_stop_ids = false;
  bool decode_text = true;  // false: ids only, no tokenizer needed
  // Set by another thread: the reply ends within the time of a layer, with what it has by then.
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

// Not for use from two threads at once. The engine has to outlive it.
class Generation {
 public:
  // The ids of the prompt, and the most tokens that prompt and reply may have together. Errors: ids
  // outside the vocabulary, sampling options out of range, no room for the tokens asked for, text
  // asked for without a tokenizer.
  static Result<std::unique_ptr<Generation>> Create(const Engine& engine,
                                                    std::span<const int32_t> prompt,
                                                    size_t context_length,
                                                    const GenerateOptions& options);
  Generation(const Generation&) = delete;
  Generation& operator=(const Generation&) = delete;

  // For the reply's figures: the prompt has run, but for those of its tokens that were in the
  // cache.
  void PromptDone(size_t cached_tokens);

  // Logits (1, vocab_size) behind the prompt, or (next().size(), vocab_size) behind each of next();
  // changes them. Draws the tokens that follow. Returns how many of the guesses in next() came
  // true: the others, and what they left in the cache, have to go.
  size_t Take(Rows logits);

  // Ends the reply with what it has.
  void Cancel();
  bool cancelled() const { return options_.cancel != nullptr && options_.cancel->load(); }

  bool done() const { return done_; }
  // While it is not done: the token drawn last, and guesses of what follows it.
  std::span<const int32_t> next() const { return next_; }

  // The whole reply, once it is done. Ends the text: what was held back is shown.
  Reply Finish();

 private:
  using Clock = std::chrono::steady_clock;
  Generation(const Engine& engine, const Tokenizer* tokenizer, std::span<const int32_t> prompt,
             size_t max_tokens, const GenerateOptions& options);
  bool TakeToken(int32_t id);  // false: the reply ends with it, or before it
  bool Show(const std::string& text);

  const GenerateOptions options_;
  const std::vector<int32_t>& stop_ids_;
  const std::vector<std::string> stop_texts_;
  const size_t max_tokens_;
  Sampler sampler_;
  TokenFilter filter_;
  StopMatcher stops_;
  const Tokenizer* tokenizer_;  // nullptr: no text is wanted
  std::optional<StreamDecoder> decoder_;
  PromptLookup lookup_;
  std::vector<int32_t> next_;
  Reply reply_;
  bool shown_ = true;  // on_text wants more
  bool done_ = false;
  const Clock::time_point start_ = Clock::now();
  std::optional<Clock::time_point> prompt_end_;
};

}  // namespace dunnock
