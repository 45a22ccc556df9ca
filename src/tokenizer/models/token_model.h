#pragma once
// The model of a tokenizer: one pre-token to ids. Three kinds (bpe.cc, wordpiece.cc, unigram.cc),
// each following Hugging Face's tokenizers, whose ids are the reference. Words met lately are not
// worked out again (word_cache.h).

#include <memory>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "tokenizer/files/model_lists.h"
#include "tokenizer/vocabulary.h"

namespace dunnock {

class TokenModel {
 public:
  TokenModel();
  TokenModel(const TokenModel&) = delete;
  TokenModel& operator=(const TokenModel&) = delete;
  virtual ~TokenModel() = default;
  void Encode(std::string_view piece, std::vector<int32_t>* ids) const;
  const Vocabulary& vocabulary() const { return vocabulary_; }

 protected:
  // From an object of ids by text.
  Status TakeVocabulary(const Json& model, ModelLists* lists);

  Vocabulary vocabulary_;

 private:
  // Bytes of the first word of a piece, which is worked out alone: by default all of it.
  virtual size_t WordSize(std::string_view piece) const { return piece.size(); }
  virtual void EncodeWord(std::string_view word, std::vector<int32_t>* ids) const = 0;

  uint64_t serial_;
};

// From the "model" object of tokenizer.json and its lists.
Result<std::unique_ptr<TokenModel>> MakeBpe(const Json& model, ModelLists lists);
Result<std::unique_ptr<TokenModel>> MakeWordPiece(const Json& model, ModelLists lists);
Result<std::unique_ptr<TokenModel>> MakeUnigram(const Json& model, ModelLists lists);

}  // namespace dunnock
