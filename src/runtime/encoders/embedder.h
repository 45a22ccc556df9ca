#pragma once
// Embedder: turns each text into one vector, as the checkpoint's sentence-transformers modules
// say: the encoder's hidden states, pooled over the text's tokens, then L2-normalized. The
// reference is sentence-transformers 6.2. Texts run without padding, and a text's vector has the
// same bits whatever other texts are embedded with it.

#include <optional>
#include <string>
#include <vector>

#include "runtime/encoders/ragged_encoder.h"
#include "runtime/encoders/sentence_folder.h"

namespace dunnock {

// How the hidden states h_1 ... h_n of a text's n tokens become one vector:
//   kCls             h_1
//   kMax             the largest value per dimension
//   kMean            sum h_t / n
//   kMeanSqrtLength  sum h_t / sqrt(n)
//   kWeightedMean    sum t h_t / sum t
//   kLastToken       h_n
enum class Pooling { kCls, kMax, kMean, kMeanSqrtLength, kWeightedMean, kLastToken };

struct EmbedderConfig {
  std::vector<Pooling> pooling = {Pooling::kMean};  // their vectors are concatenated in this order
  bool include_prompt = true;                       // the prompt's tokens are pooled as well
  bool normalize = true;
  size_t truncate_dim = 0;  // keep only the first so many values, after normalization; 0: all
  std::string similarity = "cosine";  // the measure the vectors were trained for
  SentenceTransformer transformer;
  SentencePrompts prompts;
};

struct EmbedOptions {
  // Which of the checkpoint's prompts is put in front of every text ("query", "document"); empty:
  // its default prompt, if it names one.
  std::string prompt_name;
  bool normalize = true;  // false: never; true: as the checkpoint says
  bool truncate = false;  // cut a text that is too long; otherwise it is an error
};

struct Embedding {
  std::vector<float> values;  // (dimensions)
  size_t tokens = 0;          // tokens that the model read, special ones included
  size_t cut_tokens = 0;      // tokens of the text that were cut off as too many
};

// Keeps a reference to the engine, which must outlive it. Each thread uses an embedder of its own;
// the embedders may share one engine.
class Embedder {
 public:
  // Errors: kUnsupported if the model is a decoder or its modules ask for what is not implemented;
  // kInvalid or kNotFound if the folder's side files are broken or incomplete.
  static Result<Embedder> Create(const Engine& engine);

  const EmbedderConfig& config() const { return config_; }
  // Settings in the folder that have no effect here, in words for the user.
  const std::vector<std::string>& notes() const { return notes_; }
  size_t dimensions() const;  // of every vector

  // One embedding per text, in the order of the texts. Errors: kLimit for a text that is too long
  // while `truncate` is false; kInvalid for an unknown prompt name, a text of which nothing but an
  // unpooled prompt is left, or a vector that is not finite; kNotFound without a tokenizer;
  // kMemory. An error is of the whole call: there are no partial results.
  Result<std::vector<Embedding>> Embed(std::span<const std::string> texts,
                                       const EmbedOptions& options);
  // The same for token ids, which have to include the special tokens. Needs no tokenizer, adds no
  // prompt and cuts nothing.
  Result<std::vector<Embedding>> EmbedIds(std::span<const std::vector<int32_t>> texts,
                                          bool normalize);

 private:
  explicit Embedder(const Engine& engine) : engine_(&engine), encoder_(engine) {}
  Result<std::string> PromptOf(const std::string& name) const;
  // The first `prompt_tokens` tokens of each text are left out of the pooling.
  Result<std::vector<Embedding>> Run(std::span<const std::vector<int32_t>> texts, bool normalize,
                                     size_t prompt_tokens);

  const Engine* engine_;
  EmbedderConfig config_;
  std::vector<std::string> notes_;
  std::optional<Tokenizer> lowercasing_;  // used in place of the engine's tokenizer
  RaggedEncoder encoder_;
};

// Reads modules.json and what it names. A folder without modules.json gets the defaults: mean
// pooling and unit length. Settings without effect are added to `notes`.
Result<EmbedderConfig> ReadEmbedderConfig(std::vector<std::string>* notes, const Engine& engine);

}  // namespace dunnock
