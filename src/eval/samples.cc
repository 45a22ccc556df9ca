#include "eval/samples.h"

#include <algorithm>
#include <set>

#include "base/str.h"
#include "base/system/memory.h"
#include "kernels/norm.h"
#include "models/forward.h"

namespace dunnock {
namespace {

using Sequences = std::vector<std::vector<int32_t>>;

Result<Sequences> DrawOrThrow(const Engine& engine, const std::vector<SampleRequest>& requests,
                              size_t tokens, const SampleOptions& options) {
  const ModelInfo& info = engine.model().info();
  if (!info.causal) {
    return Unsupported(Str("a model of type \"", info.model_type, "\" does not generate text"),
                       Remedy::kEmbed);
  }
  Sequences out(requests.size());
  if (requests.empty() || tokens == 0) return out;
  std::vector<KvCache> caches;
  std::vector<Sampler> samplers;
  for (const SampleRequest& request : requests) {
    DUNNOCK_TRY_STATUS(engine.CheckIds(request.prompt));
    DUNNOCK_TRY_STATUS(CheckSampling(request.sampling));
    if (request.prompt.size() + tokens > info.context_length) {
      return Fail(ErrorCode::kLimit,
                  Str(request.prompt.size() + tokens,
                      " tokens were asked for, the model has room for ", info.context_length));
    }
    caches.emplace_back(info.kv, info.context_length, engine.kv_cache());
    samplers.emplace_back(request.sampling).SeePrompt(request.prompt);
  }
  const ThreadPool::Use use(engine.pool());
  Scratch scratch;
  BatchBuilder batch;
  AlignedBuffer hidden_memory, last_memory, logits_memory;
  const Rows last = ReserveRows(last_memory, requests.size(), info.hidden_size);
  for (size_t step = 0; step < tokens; ++step) {
    if (options.progress) options.progress({"sampling", step, tokens});
    batch.Clear();
    for (size_t i = 0; i < requests.size(); ++i) {
      batch.Add(caches[i], step == 0 ? std::span<const int32_t>(requests[i].prompt)
                                     : std::span<const int32_t>(out[i]).last(1));
    }
    const Rows hidden = ReserveRows(hidden_memory, batch.tokens(), info.hidden_size);
    if (!Forward(engine.model(), hidden, batch.batch(), scratch, {.cancel = options.cancel}))
      return Fail(ErrorCode::kCancelled, "interrupted");
    batch.Commit();
    for (size_t i = 0; i < requests.size(); ++i) {
      const Sequence& sequence = batch.sequences()[i];
      std::copy_n(hidden[sequence.first_row + sequence.count - 1], info.hidden_size, last[i]);
    }
    const Rows logits = ReserveRows(logits_memory, requests.size(), info.vocab_size);
    engine.model().Logits(logits, last);
    if (FirstNotFinite(logits)) {
      return Invalid(
          "the logits are not finite: the weights are broken, or too large to compute with");
    }
    for (size_t i = 0; i < requests.size(); ++i)
      out[i].push_back(samplers[i].Next({logits[i], logits.cols}));
  }
  return out;
}

}  // namespace

Result<Sequences> DrawSamples(const Engine& engine, const std::vector<SampleRequest>& requests,
                              size_t tokens, const SampleOptions& options) {
  return CatchOutOfMemory([&] { return DrawOrThrow(engine, requests, tokens, options); });
}

std::vector<int32_t> TextBeginning(const Engine& engine) {
  if (const auto tokenizer = engine.tokenizer()) {
    if (std::vector<int32_t> added = (*tokenizer)->Encode(""); !added.empty()) return added;
  }
  const auto vocabulary = static_cast<int64_t>(engine.model().info().vocab_size);
  if (const auto id = FindInt(engine.config(), "bos_token_id"); id && *id >= 0 && *id < vocabulary)
    return {static_cast<int32_t>(*id)};
  if (!engine.stop_ids().empty() && engine.stop_ids().front() < vocabulary)
    return {engine.stop_ids().front()};
  return {0};
}

double RepeatedShare(std::span<const int32_t> ids, size_t n) {
  if (n == 0 || ids.size() < n) return 0;
  std::set<std::vector<int32_t>> distinct;
  const size_t all = ids.size() - n + 1;
  for (size_t i = 0; i < all; ++i) {
    const auto gram = ids.subspan(i, n);
    distinct.emplace(gram.begin(), gram.end());
  }
  return 1 - static_cast<double>(distinct.size()) / static_cast<double>(all);
}

}  // namespace dunnock
