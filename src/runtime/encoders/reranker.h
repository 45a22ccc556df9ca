#pragma once
// Reranker: scores how well a passage answers a query, with a cross-encoder that reads both as one
// input. The reference is CrossEncoder of sentence-transformers 6.2. A pair's score has the same
// bits whatever other pairs are scored with it. Scores rank passages of one query; they are not
// comparable between queries.

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
  float logit = 0;        // the model's one output
  float score = 0;        // sigmoid(logit), or the logit itself if the checkpoint says so
  size_t tokens = 0;      // tokens that the model read, special ones included
  size_t cut_tokens = 0;  // tokens of both texts that were cut off as too many
};

// Keeps a reference to the engine, which must outlive it. Each thread uses a reranker of its own.
class Reranker {
 public:
  // Errors: kUnsupported if the model is not a cross-encoder with one label or the folder asks for
  // what is not implemented; kInvalid if its side files are broken.
  static Result<Reranker> Create(const Engine& engine);

  // One score per pair, in the order of the pairs. A pair with more than max_tokens() tokens is
  // cut, the longer text first, as the reference does; with `cut` false it is an error (kLimit).
  // Other errors: kInvalid for a score that is not finite, kNotFound without a tokenizer, kMemory.
  Result<std::vector<RerankScore>> Score(std::span<const TextPair> pairs, bool cut = true);
  // The same for ids and type ids that include the special tokens; needs no tokenizer.
  Result<std::vector<RerankScore>> ScoreIds(std::span<const EncoderInput> inputs);

  size_t max_tokens() const { return transformer_.max_tokens; }
  bool sigmoid() const { return sigmoid_; }
  // Settings in the folder that have no effect here, in words for the user.
  const std::vector<std::string>& notes() const { return notes_; }

 private:
  explicit Reranker(const Engine& engine) : engine_(&engine), encoder_(engine) {}
  Status ReadFolder();

  const Engine* engine_;
  RaggedEncoder encoder_;
  SentenceTransformer transformer_;
  std::string prompt_;    // put in front of every query
  bool type_ids_ = true;  // type ids tell the query (0) from the passage (1)
  bool sigmoid_ = true;
  std::vector<std::string> notes_;
  std::optional<Tokenizer> lowercasing_;  // used in place of the engine's tokenizer
};

}  // namespace dunnock
