#include "runtime/encoders/ragged_encoder.h"

#include <algorithm>

#include "base/str.h"
#include "base/system/memory.h"
#include "kernels/norm.h"
#include "models/forward.h"

namespace dunnock {
namespace {

// A batch holds at most about this many tokens: enough to read the weights seldom, little enough
// for a core's own cache.
constexpr size_t kBatchTokens = 128;

}  // namespace

Status RaggedEncoder::Check(std::span<const EncoderInput> inputs) const {
  const ModelInfo& info = engine_->model().info();
  for (size_t i = 0; i < inputs.size(); ++i) {
    const EncoderInput& input = inputs[i];
    if (const Status fine = engine_->CheckIds(input.ids); !fine)
      return In(Str("text ", i + 1), fine.error());
    if (input.ids.size() > info.context_length) {
      return Fail(ErrorCode::kLimit,
                  Str("text ", i + 1, " has ", input.ids.size(), " tokens, the model has ",
                      info.context_length, " positions"));
    }
    if (!input.type_ids.empty() && input.type_ids.size() != input.ids.size()) {
      return Invalid(Str("text ", i + 1, " has ", input.ids.size(), " ids and ",
                         input.type_ids.size(), " type ids: expected as many"));
    }
    for (const int32_t type : input.type_ids) {
      if (type < 0 || static_cast<size_t>(type) >= info.token_types) {
        return Invalid(
            Str("text ", i + 1, ": type id ", type, ": expected 0 to ", info.token_types - 1));
      }
    }
  }
  return {};
}

Status RaggedEncoder::Run(std::span<const EncoderInput> inputs, const BatchFn& each) {
  return CatchOutOfMemory([&] { return RunOrThrow(inputs, each); });
}

Status RaggedEncoder::RunOrThrow(std::span<const EncoderInput> inputs, const BatchFn& each) {
  ThreadPool& pool = engine_->pool();
  const ThreadPool::Use use(pool);
  size_t total = 0;
  for (const EncoderInput& input : inputs) total += input.ids.size();
  // As many batches as a multiple of the threads, if the texts can be dealt out so.
  const size_t rounds = 1 + (total - std::min<size_t>(total, 1)) / (pool.threads() * kBatchTokens);
  const size_t budget = (total + pool.threads() * rounds - 1) / (pool.threads() * rounds);
  std::vector<size_t> ends;
  size_t tokens = 0, largest = 0;
  for (size_t i = 0; i < inputs.size(); ++i) {
    const size_t n = inputs[i].ids.size();
    // A text joins a batch if that leaves it nearer to its share.
    if (tokens > 0 && tokens + n / 2 >= budget) {
      ends.push_back(i);
      tokens = 0;
    }
    tokens += n;
    largest = std::max(largest, tokens);
  }
  if (!inputs.empty()) ends.push_back(inputs.size());
  std::vector<Status> done(ends.size());  // by batch
  const auto run = [&](size_t begin, size_t end) {
    std::unique_ptr<Workspace> workspace = TakeWorkspace();
    for (size_t b = begin; b < end; ++b)
      done[b] = RunBatch(inputs, b == 0 ? 0 : ends[b - 1], ends[b], *workspace, each);
    ReturnWorkspace(std::move(workspace));
  };
  // One batch that outweighs the rest would keep one thread busy while the others wait.
  const bool one_thread_each =
      ends.size() >= pool.threads() && largest * pool.threads() <= total + total / 2;
  if (one_thread_each) {
    pool.ParallelFor(ends.size(), 1, run);
  } else {
    run(0, ends.size());
  }
  for (Status& status : done) DUNNOCK_TRY_STATUS(std::move(status));
  return {};
}

Status RaggedEncoder::RunBatch(std::span<const EncoderInput> inputs, size_t first, size_t end,
                               Workspace& at, const BatchFn& each) const {
  const ModelInfo& info = engine_->model().info();
  at.batch.Clear();
  while (at.caches.size() < end - first)
    at.caches.emplace_back(info.kv, info.context_length, engine_->kv_cache());
  for (size_t i = first; i < end; ++i) {
    KvCache& cache = at.caches[i - first];
    cache.Truncate(0);
    at.batch.Add(cache, inputs[i].ids, inputs[i].type_ids);
  }
  at.hidden.resize(at.batch.tokens() * info.hidden_size);
  const Rows hidden{at.hidden.data(), at.batch.tokens(), info.hidden_size};
  Forward(engine_->model(), hidden, at.batch.batch(), at.scratch);
  const std::span<const Sequence> texts = at.batch.sequences();
  for (size_t i = 0; i < texts.size(); ++i) {
    const Sequence& text = texts[i];
    if (!FirstNotFinite(hidden.Part(text.first_row, text.first_row + text.count))) continue;
    return Invalid(Str("the hidden states of text ", first + i + 1,
                       " are not finite: the weights are broken, or too large to compute with"));
  }
  each({first, hidden, texts, at.scratch});
  return {};
}

std::unique_ptr<RaggedEncoder::Workspace> RaggedEncoder::TakeWorkspace() {
  const std::lock_guard lock(*mutex_);
  if (idle_.empty()) return std::make_unique<Workspace>();
  std::unique_ptr<Workspace> out = std::move(idle_.back());
  idle_.pop_back();
  return out;
}

void RaggedEncoder::ReturnWorkspace(std::unique_ptr<Workspace> workspace) {
  const std::lock_guard lock(*mutex_);
  idle_.push_back(std::move(workspace));
}

}  // namespace dunnock
