#pragma once
// The model of a tokenizer: one pre-token to ids. Three kinds (bpe.cc, wordpiece.cc, unigram.cc),
// each following Hugging Face's tokenizers, whose ids are the reference. Words met lately are not
// worked out again (word_cache.h).

#include <array>
#include <bitset>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "text/model_lists.h"
#include "text/vocabulary.h"

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
  // Which pairs of neighbouring characters a token may hold: a piece is cut into words between the
  // others, each worked out alone. ASCII characters, the mark for a space, and all the rest.
  static constexpr std::string_view kMark = "\u2581";
  static constexpr size_t kMarkClass = 128, kOtherClass = 129, kClasses = 130;
  using JoinTable = std::array<std::bitset<kClasses>, kClasses>;  // [before][behind]
  std::unique_ptr<JoinTable> joins_;                              // none: never cut

 private:
  size_t WordSize(std::string_view piece) const;
  virtual void EncodeWord(std::string_view word, std::vector<int32_t>* ids) const = 0;

  uint64_t serial_;
};

// From the "model" object of tokenizer.json and its lists.
Result<std::unique_ptr<TokenModel>> MakeBpe(const Json& model, ModelLists lists);
Result<std::unique_ptr<TokenModel>> MakeWordPiece(const Json& model, ModelLists lists);
Result<std::unique_ptr<TokenModel>> MakeUnigram(const Json& model, ModelLists lists);

}  // namespace dunnock
