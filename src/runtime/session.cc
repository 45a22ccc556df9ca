#include "runtime/session.h"

#include <algorithm>
#include <bit>
#include <chrono>
#include <cstring>

#include "base/memory.h"
#include "base/str.h"
#include "kernels/norm.h"
#include "runtime/prompt_lookup.h"
#include "runtime/stop.h"

namespace dunnock {
namespace {

using Clock = std::chrono::steady_clock;
double MsSince(Clock::time_point start) {
  return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
}

// A long prompt runs in pieces, which bounds the scratch memory; the result does not depend on it.
constexpr size_t kPrefillRows = 512;
constexpr size_t kLogitsRows = 16;

std::unexpected<Error> NotFinite(std::string_view what, size_t token) {
  return Invalid(Str("the ", what, " of token ", token + 1,
                     " are not finite: the weights are broken, or too large to compute with"));
}

}  // namespace

std::string_view NameOf(FinishReason reason) {
  return reason == FinishReason::kStop     ? "stop"
         : reason == FinishReason::kLength ? "length"
                                           : "cancelled";
}

uint64_t FoldChecksum(uint64_t checksum, std::span<const float> logits) {
  // Eight chains side by side: one would wait for each multiplication.
  constexpr size_t kChains = 8;
  const auto mix = [](uint64_t hash, uint64_t bits) {
    return (std::rotl(hash, 5) ^ bits) * 0x9E3779B97F4A7C15u;
  };
  uint64_t chain[kChains] = {};
  const auto bits = [&](size_t i) { return uint64_t{std::bit_cast<uint32_t>(logits[i])}; };
  size_t i = 0;
  for (; i + 2 * kChains <= logits.size(); i += 2 * kChains) {
    for (size_t c = 0; c < kChains; ++c)
      chain[c] = mix(chain[c], bits(i + 2 * c) | bits(i + 2 * c + 1) << 32);
  }
  for (; i < logits.size(); ++i) chain[i % kChains] = mix(chain[i % kChains], bits(i));
  for (const uint64_t hash : chain) checksum = mix(checksum, hash);
  return checksum;
}

std::string HexChecksum(uint64_t checksum) {
  std::string out(16, '0');
  for (size_t i = 16; i-- > 0; checksum >>= 4) out[i] = "0123456789abcdef"[checksum & 15];
  return out;
}

Result<Session> Session::Create(const Engine& engine, size_t context_length) {
  const ModelInfo& info = engine.model().info();
  if (!info.causal) {
    return Unsupported(Str("a model of type \"", info.model_type,
                           "\" does not generate text: use `dunnock embed`"));
  }
  if (context_length > info.context_length) {
    return Fail(ErrorCode::kLimit,
                Str("a context of ", context_length,
                    " tokens was asked for, the model was made for ", info.context_length));
  }
  return Session(engine, context_length == 0 ? info.context_length : context_length);
}

Session::Session(const Engine& engine, size_t context_length)
    : engine_(&engine), cache_(engine.model().info().kv, context_length, engine.kv_cache()) {}

void Session::Truncate(size_t length) {
  cache_.Truncate(length);
  ids_.resize(length);
}

Result<ConstRows> Session::Run(std::span<const int32_t> ids, size_t wanted) {
  const size_t n = ids.size(), hidden_size = engine_->model().info().hidden_size;
  positions_.resize(n);
  for (size_t i = 0; i < n; ++i) positions_[i] = static_cast<uint32_t>(cache_.length() + i);
  cache_.Reserve(n);
  const Sequence sequence{0, n, &cache_};
  const Batch batch{ids, {}, positions_, {&sequence, 1}, nullptr};
  const Rows hidden = ReserveRows(hidden_, n, hidden_size);
  engine_->model().Forward(hidden, batch, scratch_);
  if (const auto broken = FirstNotFinite(hidden))
    return NotFinite("hidden states", ids_.size() + *broken);
  ids_.insert(ids_.end(), ids.begin(), ids.end());
  cache_.Commit(n);
  return ConstRows(hidden[n - wanted], wanted, hidden_size);
}

Result<Rows> Session::FiniteLogits(ConstRows hidden, size_t position) {
  const Rows logits = ReserveRows(logits_, hidden.count, engine_->model().info().vocab_size);
  engine_->model().Logits(logits, hidden);
  if (const auto broken = FirstNotFinite(logits)) return NotFinite("logits", position + *broken);
  return logits;
}

Status Session::EachLogits(std::span<const int32_t> ids, size_t first, const LogitsFn& each) {
  return CatchOutOfMemory([&] { return EachLogitsOrThrow(ids, first, each); });
}

Result<Reply> Session::Generate(std::span<const int32_t> prompt, const GenerateOptions& options) {
  return CatchOutOfMemory([&] { return GenerateOrThrow(prompt, options); });
}

Status Session::EachLogitsOrThrow(std::span<const int32_t> ids, size_t first,
                                  const LogitsFn& each) {
  DUNNOCK_TRY_STATUS(engine_->CheckIds(ids));
  if (ids.size() > context_length()) {
    return Fail(ErrorCode::kLimit,
                Str(ids.size(), " tokens were given, the context holds ", context_length()));
  }
  const ThreadPool::Use use(engine_->pool());
  Clear();
  for (size_t at = 0; at < ids.size(); at += kPrefillRows) {
    const size_t n = std::min(kPrefillRows, ids.size() - at);
    DUNNOCK_TRY(const ConstRows hidden, Run(ids.subspan(at, n), n));
    for (size_t row = first > at ? std::min(first - at, n) : 0; row < n; row += kLogitsRows) {
      const size_t rows = std::min(kLogitsRows, n - row);
      DUNNOCK_TRY(const Rows logits, FiniteLogits(hidden.Part(row, row + rows), at + row));
      for (size_t i = 0; i < rows; ++i) each(at + row + i, {logits[i], logits.cols});
    }
  }
  return {};
}

Result<Reply> Session::GenerateOrThrow(std::span<const int32_t> prompt,
                                       const GenerateOptions& options) {
  DUNNOCK_TRY_STATUS(engine_->CheckIds(prompt));
  DUNNOCK_TRY_STATUS(CheckSampling(options.sampling));
  const size_t room = context_length() > prompt.size() ? context_length() - prompt.size() : 0;
  if (room < std::max<size_t>(options.max_tokens, 1)) {
    return Fail(ErrorCode::kLimit, Str("the prompt has ", prompt.size(), " tokens and ",
                                       std::max<size_t>(options.max_tokens, 1),
                                       " more were asked for, the context holds ", context_length(),
                                       ": shorten the prompt, or ask for fewer tokens with -n"));
  }
  const size_t max_tokens = options.max_tokens == 0 ? room : options.max_tokens;
  std::vector<std::string> stop_texts = options.stop;
  stop_texts.insert(stop_texts.end(), engine_->stop_strings().begin(),
                    engine_->stop_strings().end());
  const Tokenizer* tokenizer = nullptr;
  if (options.decode_text) {
    DUNNOCK_TRY(tokenizer, engine_->tokenizer());
  }
  const ThreadPool::Use use(engine_->pool());
  const auto cancelled = [&] { return options.cancel != nullptr && options.cancel->load(); };

  Reply reply;
  const Clock::time_point start = Clock::now();
  reply.prompt_tokens = prompt.size();
  // At least the last token runs again: its logits are wanted.
  const auto differ = std::mismatch(ids_.begin(), ids_.end(), prompt.begin(), prompt.end());
  reply.cached_tokens =
      std::min(static_cast<size_t>(differ.first - ids_.begin()), prompt.size() - 1);
  Truncate(reply.cached_tokens);
  ConstRows last;
  for (size_t at = reply.cached_tokens; at < prompt.size(); at += kPrefillRows) {
    if (options.on_prefill) options.on_prefill({"prompt", at, prompt.size()});
    if (cancelled()) {
      reply.finish_reason = FinishReason::kCancelled;
      return reply;
    }
    DUNNOCK_TRY(last, Run(prompt.subspan(at, std::min(kPrefillRows, prompt.size() - at)), 1));
  }
  reply.prompt_ms = MsSince(start);

  Sampler sampler(options.sampling);
  sampler.SeePrompt(prompt);
  TokenFilter filter(options.sampling.rules, engine_->stop_ids(), prompt, max_tokens);
  StopMatcher stops(stop_texts);
  // Special tokens are not shown; they are looked at where a stop string holds one.
  const auto in_stop_text = [&](const std::string& token) {
    return std::ranges::any_of(stop_texts, [&](const std::string& stop) {
      return !token.empty() && stop.find(token) != std::string::npos;
    });
  };
  std::optional<StreamDecoder> decoder;
  if (tokenizer != nullptr) decoder.emplace(*tokenizer);
  bool wanted = true;  // by on_text
  const auto show = [&](const std::string& text) {
    reply.text += text;
    if (wanted && !text.empty() && options.on_text) wanted = options.on_text(text);
    return wanted;
  };
  const std::vector<int32_t>& stop_ids = engine_->stop_ids();
  // Takes the next token; false: the reply ends.
  const auto take = [&](int32_t id) {
    if (reply.ids.empty()) reply.first_token_ms = MsSince(start);
    if (!options.ignore_stop_ids && std::binary_search(stop_ids.begin(), stop_ids.end(), id)) {
      reply.finish_reason = FinishReason::kStop;
      return false;
    }
    reply.ids.push_back(id);
    std::string text = decoder ? decoder->Push(id) : "";
    if (decoder && tokenizer->IsSpecial(id)) {
      const std::string token = tokenizer->TokenText(id);
      if (in_stop_text(token)) text = stops.Push(token, false);
    } else {
      text = stops.Push(text);
    }
    if (decoder && (!show(text) || stops.stopped())) {
      reply.finish_reason = stops.stopped() ? FinishReason::kStop : FinishReason::kCancelled;
      return false;
    }
    if (reply.ids.size() == max_tokens) return false;
    const bool stop = cancelled();
    if (stop) reply.finish_reason = FinishReason::kCancelled;
    return !stop;
  };
  const Clock::time_point decode_start = Clock::now();
  reply.finish_reason = FinishReason::kLength;
  PromptLookup lookup(options.prompt_lookup);
  lookup.Append(prompt);
  std::vector<int32_t> next;  // the token to run, and guesses of what follows it
  for (;;) {
    DUNNOCK_TRY(const Rows logits, FiniteLogits(last, ids_.size() - last.count));
    const size_t guessed = last.count - 1;
    size_t right = 0;
    int32_t id;
    bool more;
    for (;; ++right) {
      reply.checksum = FoldChecksum(reply.checksum, {logits[right], logits.cols});
      filter.Apply({logits[right], logits.cols});
      id = sampler.Next({logits[right], logits.cols});
      filter.See(id);
      more = take(id);
      lookup.Append({&id, 1});
      if (!more || right == guessed || id != next[1 + right]) break;
    }
    Truncate(ids_.size() - (guessed - right));
    reply.guessed_tokens += guessed;
    reply.right_tokens += right;
    lookup.Learn(guessed, right);
    if (!more) break;
    const auto guess = lookup.Guess(max_tokens - reply.ids.size() - 1);
    next.assign({id});
    next.insert(next.end(), guess.begin(), guess.end());
    DUNNOCK_TRY(last, Run(next, next.size()));
  }
  if (decoder && wanted && !stops.stopped()) show(stops.Push(decoder->Finish()) + stops.Finish());
  reply.decode_ms = MsSince(decode_start);
  return reply;
}

}  // namespace dunnock
