#pragma once
// Reranker: how well a passage answers a query, by a cross-encoder that reads both at once. A
// pair's score does not depend on its neighbours. Scores of different queries do not compare.

#include <optional>
#include <string>
#include <vector>

#include "runtime/encoders/ragged_encoder.h"
#include "runtime/encoders/sentence_folder.h"
#include "tokenizer/tokenizer.h"

namespace dunnock {

struct TextPair {
  std::string query, passage;
};

struct RerankScore {
  float logit = 0;        // of the one label
  float score = 0;        // the logit, or its sigmoid where the checkpoint says so
  size_t tokens = 0;      // that the model read
  size_t cut_tokens = 0;  // of both texts, beyond the model's limit: left out
};

class Reranker {
 public:
  static Result<Reranker> Create(const Engine& engine);

  // Scores in input order. A pair that is too long is cut, the longer text first, as the reference
  // does; with `cut` false it is an error.
  Result<std::vector<RerankScore>> Score(std::span<const TextPair> pairs, bool cut = true);
  Result<std::vector<RerankScore>> ScoreIds(std::span<const EncoderInput> inputs);

  size_t max_tokens() const { return transformer_.max_tokens; }
  bool sigmoid() const { return sigmoid_; }
  // Settings of the folder that are not done here.
  const std::vector<std::string>& notes() const { return notes_; }

 private:
  explicit Reranker(const Engine& engine) : engine_(&engine), encoder_(engine) {}
  Status ReadFolder();

  const Engine* engine_;
  RaggedEncoder encoder_;
  SentenceTransformer transformer_;
  std::string prompt_;    // in front of every query
  bool type_ids_ = true;  // the model is told which text a token is of
  bool sigmoid_ = true;
  std::vector<std::string> notes_;
  std::optional<Tokenizer> lowercasing_;  // in place of the engine's
};

}  // namespace dunnock
