#pragma once
// Reranker: how well a passage answers a query, by a cross-encoder that reads both at once. A
// pair's score does not depend on its neighbours. Scores of different queries do not compare.

#include <string>
#include <vector>

#include "runtime/ragged_encoder.h"
#include "text/tokenizer.h"

namespace dunnock {

struct TextPair {
  std::string query, passage;
};

struct RerankScore {
  float logit = 0;  // of the one label
  float score = 0;  // the logit, or its sigmoid where the checkpoint says so
  size_t tokens = 0;
};

class Reranker {
 public:
  static Result<Reranker> Create(const Engine& engine);

  // Scores in input order. A pair that is too long is cut, the longer text first, as the reference
  // does.
  Result<std::vector<RerankScore>> Score(std::span<const TextPair> pairs);
  Result<std::vector<RerankScore>> ScoreIds(std::span<const EncoderInput> inputs);

  size_t max_tokens() const { return max_tokens_; }
  bool sigmoid() const { return sigmoid_; }

 private:
  explicit Reranker(const Engine& engine) : engine_(&engine), encoder_(engine) {}

  const Engine* engine_;
  RaggedEncoder encoder_;
  size_t max_tokens_ = 0;
  bool sigmoid_ = true;
};

}  // namespace dunnock
