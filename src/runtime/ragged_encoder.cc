#include "runtime/ragged_encoder.h"

#include "base/str.h"

namespace dunnock {
namespace {

// One pass holds about this many tokens: enough to keep every core busy, little enough for the
// cache.
constexpr size_t kBatchTokens = 512;

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

void RaggedEncoder::Run(std::span<const EncoderInput> inputs, const BatchFn& each) {
  const ThreadPool::Use use(engine_->pool());
  const ModelInfo& info = engine_->model().info();
  std::vector<int32_t> ids, types;
  std::vector<uint32_t> positions;
  std::vector<Sequence> texts;
  for (size_t first = 0; first < inputs.size(); first += texts.size()) {
    ids.clear();
    types.clear();
    positions.clear();
    texts.clear();
    for (size_t i = first; i < inputs.size(); ++i) {
      const EncoderInput& input = inputs[i];
      const size_t n = input.ids.size(), at = i - first;
      if (at > 0 && ids.size() + n > kBatchTokens) break;
      if (at == caches_.size())
        caches_.emplace_back(info.kv, info.context_length, engine_->kv_cache());
      texts.push_back({ids.size(), n, nullptr});
      ids.insert(ids.end(), input.ids.begin(), input.ids.end());
      types.insert(types.end(), input.type_ids.begin(), input.type_ids.end());
      types.resize(ids.size());
      for (uint32_t p = 0; p < n; ++p) positions.push_back(p);
    }
    for (size_t i = 0; i < texts.size(); ++i) {
      texts[i].cache = &caches_[i];
      caches_[i].Truncate(0);
      caches_[i].Reserve(texts[i].count);
    }
    hidden_.resize(ids.size() * info.hidden_size);
    const Rows hidden{hidden_.data(), ids.size(), info.hidden_size};
    engine_->model().Forward(hidden, {ids, types, positions, texts, nullptr}, scratch_);
    each(first, hidden, texts);
  }
}

}  // namespace dunnock
