#pragma once
// TokenModel: the part of a tokenizer that turns one piece of text, as the pre-tokenizer cut it,
// into ids. There are three kinds (bpe.cc, wordpiece.cc, unigram.cc), with the ids of Hugging
// Face's tokenizers. Immutable once made: any number of threads may encode.

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
  // Appends the ids of a piece. Words encoded lately come from the thread's word_cache.h.
  void Encode(std::string_view piece, std::vector<int32_t>* ids) const;
  const Vocabulary& vocabulary() const { return vocabulary_; }

 protected:
  // Takes the vocabulary, an object of ids by text, from the lists; the error found in it, if any.
  Status TakeVocabulary(const Json& model, ModelLists* lists);

  Vocabulary vocabulary_;

 private:
  // The length in bytes of the first word of a piece. Words are encoded alone; by default the piece
  // is one word.
  virtual size_t WordSize(std::string_view piece) const { return piece.size(); }
  virtual void EncodeWord(std::string_view word, std::vector<int32_t>* ids) const = 0;

  uint64_t serial_;
};

// From the "model" object of tokenizer.json and its lists. kInvalid or kLimit for a broken model.
Result<std::unique_ptr<TokenModel>> MakeBpe(const Json& model, ModelLists lists);
Result<std::unique_ptr<TokenModel>> MakeWordPiece(const Json& model, ModelLists lists);
Result<std::unique_ptr<TokenModel>> MakeUnigram(const Json& model, ModelLists lists);

}  // namespace dunnock
