#include "runtime/generation.h"

#include <algorithm>

#include "base/str.h"
#include "runtime/checksum.h"

namespace dunnock {
namespace {

double Ms(std::chrono::steady_clock::duration time) {
  return std::chrono::duration<double, std::milli>(time).count();
}

std::vector<std::string> Joined(std::vector<std::string> texts,
                                const std::vector<std::string>& more) {
  texts.insert(texts.end(), more.begin(), more.end());
  return texts;
}

}  // namespace

std::string_view NameOf(FinishReason reason) {
  return reason == FinishReason::kStop     ? "stop"
         : reason == FinishReason::kLength ? "length"
                                           : "cancelled";
}

Result<std::unique_ptr<Generation>> Generation::Create(const Engine& engine,
                                                       std::span<const int32_t> prompt,
                                                       size_t context_length,
                                                       const GenerateOptions& options) {
  DUNNOCK_TRY_STATUS(engine.CheckIds(prompt));
  DUNNOCK_TRY_STATUS(CheckSampling(options.sampling));
  const size_t room = context_length > prompt.size() ? context_length - prompt.size() : 0;
  const size_t wanted = std::max<size_t>(options.max_tokens, 1);
  if (room < wanted) {
    return Fail(ErrorCode::kLimit,
                Str("the prompt has ", prompt.size(), " tokens and ", wanted,
                    " more were asked for, the context holds ", context_length),
                Remedy::kFewerTokens);
  }
  const Tokenizer* tokenizer = nullptr;
  if (options.decode_text) {
    DUNNOCK_TRY(tokenizer, engine.tokenizer());
  }
  return std::unique_ptr<Generation>(new Generation(
      engine, tokenizer, prompt, options.max_tokens == 0 ? room : options.max_tokens, options));
}

Generation::Generation(const Engine& engine, const Tokenizer* tokenizer,
                       std::span<const int32_t> prompt, size_t max_tokens,
                       const GenerateOptions& options)
    : options_(options),
      stop_ids_(engine.stop_ids()),
      stop_texts_(Joined(options.stop, engine.stop_strings())),
      max_tokens_(max_tokens),
      sampler_(options_.sampling),
      filter_(options_.sampling.rules, stop_ids_, prompt, max_tokens),
      stops_(stop_texts_),
      tokenizer_(tokenizer),
      lookup_(options.prompt_lookup) {
  if (tokenizer != nullptr) decoder_.emplace(*tokenizer);
  sampler_.SeePrompt(prompt);
  lookup_.Append(prompt);
  reply_.prompt_tokens = prompt.size();
  reply_.finish_reason = FinishReason::kLength;
}

bool Generation::Show(const std::string& text) {
  reply_.text += text;
  if (shown_ && !text.empty() && options_.on_text) shown_ = options_.on_text(text);
  return shown_;
}

bool Generation::TakeToken(int32_t id) {
  if (reply_.ids.empty()) reply_.first_token_ms = Ms(Clock::now() - start_);
  if (!options_.ignore_stop_ids && std::binary_search(stop_ids_.begin(), stop_ids_.end(), id)) {
    reply_.finish_reason = FinishReason::kStop;
    return false;
  }
  reply_.ids.push_back(id);
  if (decoder_) {
    std::string text = decoder_->Push(id);
    if (tokenizer_->IsSpecial(id)) {
      // A special token is never shown, but it takes part in the search for a stop text that
      // contains it.
      const std::string token = tokenizer_->TokenText(id);
      const bool in_stop_text = std::ranges::any_of(stop_texts_, [&](const std::string& stop) {
        return !token.empty() && stop.find(token) != std::string::npos;
      });
      if (in_stop_text) text = stops_.Push(token, false);
    } else {
      text = stops_.Push(text);
    }
    if (!Show(text) || stops_.stopped()) {
      reply_.finish_reason = stops_.stopped() ? FinishReason::kStop : FinishReason::kCancelled;
      return false;
    }
  }
  if (reply_.ids.size() == max_tokens_) return false;
  if (!cancelled()) return true;
  reply_.finish_reason = FinishReason::kCancelled;
  return false;
}

void Generation::PromptDone(size_t cached_tokens) {
  prompt_end_ = Clock::now();
  reply_.cached_tokens = cached_tokens;
  reply_.prompt_ms = Ms(*prompt_end_ - start_);
}

size_t Generation::Take(Rows logits) {
  const size_t guessed = logits.count - 1;
  size_t right = 0;
  int32_t id;
  for (;; ++right) {
    const std::span<float> row{logits[right], logits.cols};
    reply_.checksum = FoldChecksum(reply_.checksum, row);
    filter_.Apply(row);
    id = sampler_.Next(row);
    filter_.See(id);
    done_ = !TakeToken(id);
    lookup_.Append({&id, 1});
    if (done_ || right == guessed || id != next_[1 + right]) break;
  }
  reply_.guessed_tokens += guessed;
  reply_.right_tokens += right;
  lookup_.Learn(guessed, right);
  if (done_) return right;
  const std::span<const int32_t> guess = lookup_.Guess(max_tokens_ - reply_.ids.size() - 1);
  next_.assign({id});
  next_.insert(next_.end(), guess.begin(), guess.end());
  return right;
}

void Generation::Cancel() {
  done_ = true;
  reply_.finish_reason = FinishReason::kCancelled;
}

Reply Generation::Finish() {
  if (decoder_ && shown_ && !stops_.stopped())
    Show(stops_.Push(decoder_->Finish()) + stops_.Finish());
  if (prompt_end_) reply_.decode_ms = Ms(Clock::now() - *prompt_end_);
  return std::move(reply_);
}

}  // namespace dunnock
