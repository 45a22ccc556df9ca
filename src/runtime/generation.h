#pragma once
// Generation: the state of one reply, apart from the KV cache that its tokens run through. It says
// which tokens to run next, takes their logits, draws, decodes, and knows when the reply ends. A
// session drives one generation; a scheduler may drive many whose tokens share a batch.

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
  // Texts that end the reply, in addition to Engine::stop_strings(). They are found only in decoded
  // text, so not with decode_text = false.
  std::vector<std::string> stop;
  // Largest number of tokens to guess per pass (prompt_lookup.h), 0: none. The reply is the same.
  size_t prompt_lookup = 0;
  bool ignore_stop_ids = false;  // go on after an end-of-text token, up to max_tokens
  bool decode_text = true;       // false: ids only, no tokenizer needed
  // Another thread may set it to true: the reply then ends within the time of one layer, with what
  // it has by then. Must outlive the generation.
  const std::atomic<bool>* cancel = nullptr;
  // Called with each new piece of text: valid UTF-8 in whole characters, all pieces together
  // Reply::text. Returning false ends the reply as cancelled. Runs on the generating thread.
  std::function<bool(std::string_view text)> on_text;
  ProgressFn on_prefill;  // called before each piece of the prompt, counts in tokens
};

struct Reply {
  std::vector<int32_t> ids;  // without the id that ended it
  std::string text;          // without special tokens and without the stop text
  FinishReason finish_reason = FinishReason::kStop;
  size_t prompt_tokens = 0, cached_tokens = 0;  // cached: of the prompt, already in the KV cache
  size_t guessed_tokens = 0, right_tokens = 0;  // prompt lookup: guesses made, guesses accepted
  // Time for the prompt, from then to the end, and from the beginning to the first token.
  double prompt_ms = 0, decode_ms = 0, first_token_ms = 0;
  uint64_t checksum = 0;  // over every logits vector that a token was drawn from (checksum.h)
};

// For one thread at a time. The engine has to outlive it.
//
//   run the prompt; generation->PromptDone(cached); logits = those of the last position
//   loop: right = generation->Take(logits)
//         remove the guesses from next() beyond the first `right` from the cache
//         if (generation->done()) return generation->Finish()
//         run generation->next(); logits = those of each of its tokens
class Generation {
 public:
  // `context_length` is the largest number of tokens that prompt and reply may have together.
  // Copies the prompt and the options. Errors: kInvalid for ids outside the vocabulary or sampling
  // options out of range; kLimit if the context has no room for max_tokens (or one token) after the
  // prompt; the error of Engine::tokenizer() if text is wanted and there is none.
  static Result<std::unique_ptr<Generation>> Create(const Engine& engine,
                                                    std::span<const int32_t> prompt,
                                                    size_t context_length,
                                                    const GenerateOptions& options);
  Generation(const Generation&) = delete;
  Generation& operator=(const Generation&) = delete;

  // Tells that the prompt has run, all but its first `cached_tokens` tokens, which were in the
  // cache. Only the figures in Reply depend on it.
  void PromptDone(size_t cached_tokens);

  // Takes the logits that follow the prompt's last token (1, vocab_size), or that follow each token
  // of next() (next().size(), vocab_size), and overwrites them. Draws one token per row until a
  // guess turns out wrong or the reply ends. Returns how many guesses in next() were right: the
  // caller removes the others from the KV cache.
  size_t Take(Rows logits);

  // Ends the reply as cancelled, with what it has.
  void Cancel();
  bool cancelled() const { return options_.cancel != nullptr && options_.cancel->load(); }

  bool done() const { return done_; }
  // What to run next, while not done(): the token drawn last, then guesses of what follows it.
  // Empty before the first Take(). Valid until the next Take().
  std::span<const int32_t> next() const { return next_; }

  // Shows the text that was still held back and returns the whole reply. To be called once, at the
  // end.
  Reply Finish();

 private:
  using Clock = std::chrono::steady_clock;
  Generation(const Engine& engine, const Tokenizer* tokenizer, std::span<const int32_t> prompt,
             size_t max_tokens, const GenerateOptions& options);
  bool TakeToken(int32_t id);  // false: the reply ends, with this token or just before it
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
  bool shown_ = true;  // false once on_text has returned false
  bool done_ = false;
  const Clock::time_point start_ = Clock::now();
  std::optional<Clock::time_point> prompt_end_;
};

}  // namespace dunnock
