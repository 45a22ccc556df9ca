#pragma once
// Embedder: texts -> one vector each, as the checkpoint's sentence-transformers modules say:
// pooling over the text's own tokens (never over padding: there is none), then L2 normalization.
// Texts of a batch run as one ragged matrix; a vector does not depend on its neighbours.

#include <map>
#include <string>
#include <vector>

#include "runtime/ragged_encoder.h"

namespace dunnock {

enum class Pooling { kMean, kCls };

struct EmbedderConfig {
  Pooling pooling = Pooling::kMean;
  bool normalize = true;
  // The most tokens of a text, special ones included: sentence_bert_config.json's max_seq_length if
  // present, else what the model's positions allow; never more than those.
  size_t max_tokens = 0;
  std::map<std::string, std::string> prompts;  // by name ("query"), put in front of the text
  std::string default_prompt;                  // a name, or empty
};

struct EmbedOptions {
  std::string prompt_name;  // empty: the default one, if there is any
  bool normalize = true;    // false: never; true: as the checkpoint says
  bool truncate = false;    // else a text that is too long is an error
};

struct Embedding {
  std::vector<float> values;  // (hidden_size)
  size_t tokens = 0;
  bool truncated = false;
};

class Embedder {
 public:
  static Result<Embedder> Create(const Engine& engine);

  const EmbedderConfig& config() const { return config_; }
  size_t dimensions() const { return engine_->model().info().hidden_size; }

  Result<std::vector<Embedding>> Embed(std::span<const std::string> texts,
                                       const EmbedOptions& options);
  // The same from token ids, special tokens included; no tokenizer needed.
  Result<std::vector<Embedding>> EmbedIds(std::span<const std::vector<int32_t>> texts,
                                          bool normalize);

 private:
  explicit Embedder(const Engine& engine) : engine_(&engine), encoder_(engine) {}

  const Engine* engine_;
  EmbedderConfig config_;
  RaggedEncoder encoder_;
};

Result<EmbedderConfig> ReadEmbedderConfig(const Engine& engine);

}  // namespace dunnock
