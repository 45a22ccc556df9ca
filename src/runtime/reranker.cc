#include "runtime/reranker.h"

#include <algorithm>
#include <cmath>

#include "base/str.h"

namespace dunnock {
namespace {

// sentence-transformers keeps the activation in config.json, by the name of a torch module; without
// one a single label gets the sigmoid.
Result<bool> UsesSigmoid(const Json& config) {
  std::optional<std::string> name;
  if (const Json* st = FindMember(config, "sentence_transformers"))
    name = FindString(*st, "activation_fn");
  if (!name) name = FindString(config, "sbert_ce_default_activation_function");
  if (!name || name->ends_with(".Sigmoid")) return true;
  if (name->ends_with(".Identity")) return false;
  return Unsupported(Str("config.json: activation \"", *name, "\": expected Sigmoid or Identity"));
}

}  // namespace

Result<Reranker> Reranker::Create(const Engine& engine) {
  const ModelInfo& info = engine.model().info();
  if (info.labels != 1) {
    return Unsupported(
        info.labels == 0
            ? Str("a model of type \"", info.model_type,
                  "\" without a classifier does not rerank: use a cross-encoder, such as "
                  "ms-marco-minilm-l6-v2")
            : Str("the classifier has ", info.labels, " labels: a reranker has 1"));
  }
  Reranker reranker(engine);
  DUNNOCK_TRY(reranker.sigmoid_, UsesSigmoid(engine.config()));
  reranker.max_tokens_ = info.context_length;
  DUNNOCK_TRY(const Json tokenizer, engine.ReadConfigFile("tokenizer_config.json"));
  if (const auto most = FindInt(tokenizer, "model_max_length"); most && *most > 0) {
    reranker.max_tokens_ =
        static_cast<size_t>(std::min<int64_t>(*most, static_cast<int64_t>(info.context_length)));
  }
  return reranker;
}

Result<std::vector<RerankScore>> Reranker::Score(std::span<const TextPair> pairs) {
  DUNNOCK_TRY(const Tokenizer* tokenizer, engine_->tokenizer());
  std::vector<EncoderInput> inputs;
  inputs.reserve(pairs.size());
  for (const TextPair& pair : pairs) {
    Encoding encoding = tokenizer->EncodePair(pair.query, pair.passage, max_tokens_);
    inputs.push_back({std::move(encoding.ids), std::move(encoding.type_ids)});
  }
  return ScoreIds(inputs);
}

Result<std::vector<RerankScore>> Reranker::ScoreIds(std::span<const EncoderInput> inputs) {
  DUNNOCK_TRY_STATUS(encoder_.Check(inputs));
  const size_t hidden_size = engine_->model().info().hidden_size;
  std::vector<RerankScore> out(inputs.size());
  DUNNOCK_TRY_STATUS(encoder_.Run(inputs, [&](const EncodedBatch& batch) {
    const std::span<const Sequence> texts = batch.texts;
    std::vector<float> first, logits(texts.size());
    for (const Sequence& text : texts) {
      const float* row = batch.hidden[text.first_row];
      first.insert(first.end(), row, row + hidden_size);
    }
    engine_->model().Classify({logits.data(), texts.size(), 1},
                              {first.data(), texts.size(), hidden_size}, batch.scratch);
    for (size_t i = 0; i < texts.size(); ++i) {
      const double logit = logits[i];
      const double score = sigmoid_ ? 1.0 / (1.0 + std::exp(-logit)) : logit;
      out[batch.first + i] = {logits[i], static_cast<float>(score), texts[i].count};
    }
  }));
  return out;
}

}  // namespace dunnock
