#include "runtime/ragged_encoder.h"

#include <algorithm>

#include "base/memory.h"
#include "base/str.h"
#include "kernels/norm.h"

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
  at.ids.clear();
  at.types.clear();
  at.positions.clear();
  at.texts.clear();
  for (size_t i = first; i < end; ++i) {
    const EncoderInput& input = inputs[i];
    const size_t n = input.ids.size();
    at.texts.push_back({at.ids.size(), n, nullptr});
    at.ids.insert(at.ids.end(), input.ids.begin(), input.ids.end());
    at.types.insert(at.types.end(), input.type_ids.begin(), input.type_ids.end());
    at.types.resize(at.ids.size());
    for (uint32_t p = 0; p < n; ++p) at.positions.push_back(p);
  }
  while (at.caches.size() < at.texts.size())
    at.caches.emplace_back(info.kv, info.context_length, engine_->kv_cache());
  for (size_t i = 0; i < at.texts.size(); ++i) {
    at.texts[i].cache = &at.caches[i];
    at.caches[i].Truncate(0);
    at.caches[i].Reserve(at.texts[i].count);
  }
  at.hidden.resize(at.ids.size() * info.hidden_size);
  const Rows hidden{at.hidden.data(), at.ids.size(), info.hidden_size};
  engine_->model().Forward(hidden, {at.ids, at.types, at.positions, at.texts, nullptr}, at.scratch);
  for (size_t i = 0; i < at.texts.size(); ++i) {
    const Sequence& text = at.texts[i];
    if (!FirstNotFinite(hidden.Part(text.first_row, text.first_row + text.count))) continue;
    return Invalid(Str("the hidden states of text ", first + i + 1,
                       " are not finite: the weights are broken, or too large to compute with"));
  }
  each({first, hidden, at.texts, at.scratch});
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
