#pragma once
// The model of a tokenizer: one pre-token to ids. Three kinds (bpe.cc, wordpiece.cc, unigram.cc),
// each following Hugging Face's tokenizers, whose ids are the reference.

#include <memory>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "text/vocabulary.h"

namespace dunnock {

class TokenModel {
 public:
  virtual ~TokenModel() = default;
  virtual void Encode(std::string_view piece, std::vector<int32_t>* ids) const = 0;
  const Vocabulary& vocabulary() const { return vocabulary_; }

 protected:
  Vocabulary vocabulary_;
};

// From the "model" object of tokenizer.json.
Result<std::unique_ptr<TokenModel>> MakeBpe(const Json& model);
Result<std::unique_ptr<TokenModel>> MakeWordPiece(const Json& model);
Result<std::unique_ptr<TokenModel>> MakeUnigram(const Json& model);

// {"text": id, ...}
Status ReadVocabulary(const Json& vocab, Vocabulary* out);

// Ids above this are a mistake: memory is taken for every id up to the largest.
inline constexpr int64_t kMostTokens = 4'000'000;

}  // namespace dunnock
