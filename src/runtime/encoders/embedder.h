#pragma once
// Embedder: texts -> one vector each, as the checkpoint's sentence-transformers modules say:
// pooling over the text's own tokens (never over padding: there is none), then L2 normalization.
// Texts of a batch run as one ragged matrix; a vector does not depend on its neighbours.

#include <optional>
#include <string>
#include <vector>

#include "runtime/encoders/ragged_encoder.h"
#include "runtime/encoders/sentence_folder.h"

namespace dunnock {

// Of a text's hidden states: the first, the largest value of each dimension, the mean, the sum over
// the root of the count, the mean weighted by position (1, 2, ...), the last.
enum class Pooling { kCls, kMax, kMean, kMeanSqrtLength, kWeightedMean, kLastToken };

struct EmbedderConfig {
  std::vector<Pooling> pooling = {Pooling::kMean};  // one behind the other in the vector
  bool include_prompt = true;                       // the prompt's tokens are pooled as well
  bool normalize = true;
  size_t truncate_dim = 0;            // only the first so many values, cut after all else; 0: all
  std::string similarity = "cosine";  // what the vectors are made to be compared by
  SentenceTransformer transformer;
  SentencePrompts prompts;
};

struct EmbedOptions {
  std::string prompt_name;  // empty: the default one, if there is any
  bool normalize = true;    // false: never; true: as the checkpoint says
  bool truncate = false;    // else a text that is too long is an error
};

struct Embedding {
  std::vector<float> values;  // (dimensions)
  size_t tokens = 0;          // that the model read
  size_t cut_tokens = 0;      // of the text, beyond the model's limit: left out
};

class Embedder {
 public:
  static Result<Embedder> Create(const Engine& engine);

  const EmbedderConfig& config() const { return config_; }
  // Settings of the folder that are not done here.
  const std::vector<std::string>& notes() const { return notes_; }
  size_t dimensions() const;

  Result<std::vector<Embedding>> Embed(std::span<const std::string> texts,
                                       const EmbedOptions& options);
  // The same from token ids, special tokens included; no tokenizer needed.
  Result<std::vector<Embedding>> EmbedIds(std::span<const std::vector<int32_t>> texts,
                                          bool normalize);

 private:
  explicit Embedder(const Engine& engine) : engine_(&engine), encoder_(engine) {}
  Result<std::string> PromptOf(const std::string& name) const;
  // The first `prompt_tokens` of each text are not pooled.
  Result<std::vector<Embedding>> Run(std::span<const std::vector<int32_t>> texts, bool normalize,
                                     size_t prompt_tokens);

  const Engine* engine_;
  EmbedderConfig config_;
  std::vector<std::string> notes_;
  std::optional<Tokenizer> lowercasing_;  // in place of the engine's
  RaggedEncoder encoder_;
};

Result<EmbedderConfig> ReadEmbedderConfig(std::vector<std::string>* notes, const Engine& engine);

}  // namespace dunnock
