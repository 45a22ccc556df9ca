#include "runtime/session.h"

#include <algorithm>

#include "base/str.h"
#include "base/system/memory.h"
#include "kernels/norm.h"
#include "models/forward.h"

namespace dunnock {
namespace {

// A long prompt runs in pieces of this many tokens, which bounds the scratch memory and does not
// change the result.
constexpr size_t kPrefillRows = 512;
constexpr size_t kLogitsRows = 16;

std::unexpected<Error> NotFinite(std::string_view what, size_t token) {
  return Invalid(Str("the ", what, " of token ", token + 1,
                     " are not finite: the weights are broken, or too large to compute with"));
}

}  // namespace

Result<Session> Session::Create(const Engine& engine, size_t context_length) {
  const ModelInfo& info = engine.model().info();
  if (!info.causal) {
    return Unsupported(Str("a model of type \"", info.model_type, "\" does not generate text"),
                       Remedy::kEmbed);
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

Result<ConstRows> Session::Run(std::span<const int32_t> ids, size_t wanted,
                               const std::atomic<bool>* cancel) {
  const size_t n = ids.size(), hidden_size = engine_->model().info().hidden_size;
  batch_.Clear();
  batch_.Add(cache_, ids);
  const Rows hidden = ReserveRows(hidden_, n, hidden_size);
  if (!Forward(engine_->model(), hidden, batch_.batch(), scratch_, {.cancel = cancel}))
    return ConstRows();
  if (const auto broken = FirstNotFinite(hidden))
    return NotFinite("hidden states", ids_.size() + *broken);
  ids_.insert(ids_.end(), ids.begin(), ids.end());
  batch_.Commit();
  return ConstRows(hidden[n - wanted], wanted, hidden_size);
}

Result<Rows> Session::FiniteLogits(ConstRows hidden, size_t position) {
  const Rows logits = ReserveRows(logits_, hidden.count, engine_->model().info().vocab_size);
  engine_->model().Logits(logits, hidden);
  if (const auto broken = FirstNotFinite(logits)) return NotFinite("logits", position + *broken);
  return logits;
}

Status Session::EachLogits(std::span<const int32_t> ids, size_t first, const LogitsFn& each) {
  return CatchOutOfMemory([&] {
    Clear();
    return AppendLogitsOrThrow(ids, first, each);
  });
}

Status Session::AppendLogits(std::span<const int32_t> ids, const LogitsFn& each) {
  return CatchOutOfMemory([&] { return AppendLogitsOrThrow(ids, used(), each); });
}

Result<Reply> Session::Generate(std::span<const int32_t> prompt, const GenerateOptions& options) {
  return CatchOutOfMemory([&] { return GenerateOrThrow(prompt, options); });
}

Status Session::AppendLogitsOrThrow(std::span<const int32_t> ids, size_t first,
                                    const LogitsFn& each) {
  DUNNOCK_TRY_STATUS(engine_->CheckIds(ids));
  const size_t before = used();
  if (ids.size() > context_length() - before) {
    return Fail(ErrorCode::kLimit, Str(before + ids.size(),
                                       " tokens were given, the context holds ", context_length()));
  }
  const ThreadPool::Use use(engine_->pool());
  for (size_t done = 0; done < ids.size(); done += kPrefillRows) {
    const size_t n = std::min(kPrefillRows, ids.size() - done), at = before + done;
    DUNNOCK_TRY(const ConstRows hidden, Run(ids.subspan(done, n), n));
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
  DUNNOCK_TRY(const std::unique_ptr<Generation> generation,
              Generation::Create(*engine_, prompt, context_length(), options));
  const ThreadPool::Use use(engine_->pool());
  // The last token always runs again, because its logits are needed.
  const auto differ = std::mismatch(ids_.begin(), ids_.end(), prompt.begin(), prompt.end());
  const size_t cached =
      std::min(static_cast<size_t>(differ.first - ids_.begin()), prompt.size() - 1);
  Truncate(cached);
  ConstRows last;
  for (size_t at = cached; at < prompt.size(); at += kPrefillRows) {
    if (options.on_prefill) options.on_prefill({"prompt", at, prompt.size()});
    const size_t n = std::min(kPrefillRows, prompt.size() - at);
    DUNNOCK_TRY(last, Run(prompt.subspan(at, n), 1, options.cancel));
    if (last.count == 0) break;
  }
  if (last.count > 0) generation->PromptDone(cached);
  while (last.count > 0) {
    DUNNOCK_TRY(const Rows logits, FiniteLogits(last, ids_.size() - last.count));
    const size_t guesses = generation->next().empty() ? 0 : generation->next().size() - 1;
    const size_t right = generation->Take(logits);
    Truncate(ids_.size() - (guesses - right));
    if (generation->done()) return generation->Finish();
    const std::span<const int32_t> next = generation->next();
    DUNNOCK_TRY(last, Run(next, next.size(), options.cancel));
  }
  generation->Cancel();
  return generation->Finish();
}

}  // namespace dunnock
