// WordPiece (Schuster and Nakajima 2012; BERT): the longest token that begins a word, then the
// longest that goes on ("##..."); a word with any part left over is one unknown token.

#include "base/str.h"
#include "base/text/utf8.h"
#include "tokenizer/models/token_model.h"

namespace dunnock {
namespace {

class WordPiece final : public TokenModel {
 public:
  Status Read(const Json& model, ModelLists lists) {
    DUNNOCK_TRY_STATUS(TakeVocabulary(model, &lists));
    prefix_ = FindString(model, "continuing_subword_prefix").value_or("##");
    most_characters_ =
        static_cast<size_t>(FindInt(model, "max_input_chars_per_word").value_or(100));
    const std::string unknown = FindString(model, "unk_token").value_or("[UNK]");
    const auto id = vocabulary_.Find(unknown);
    if (!id) return Invalid(Str("unk_token \"", unknown, "\" is not in the vocabulary"));
    unknown_ = *id;
    for (size_t i = 0; i < vocabulary_.size(); ++i)
      longest_ = std::max(longest_, vocabulary_.Text(static_cast<int32_t>(i)).size());
    return {};
  }

  void EncodeWord(std::string_view word, std::vector<int32_t>* ids) const override {
    size_t characters = 0;
    for (const char c : word) characters += (static_cast<uint8_t>(c) & 0xC0) != 0x80 ? 1 : 0;
    if (characters > most_characters_) return ids->push_back(unknown_);
    const size_t before = ids->size();
    std::string key;
    for (size_t start = 0; start < word.size();) {
      std::optional<int32_t> found;
      size_t end = std::min(word.size(), start + longest_);
      for (; end > start; --end) {
        if (end < word.size() && (static_cast<uint8_t>(word[end]) & 0xC0) == 0x80)
          continue;  // inside a character
        key = start > 0 ? prefix_ : "";
        key += word.substr(start, end - start);
        found = vocabulary_.Find(key);
        if (found) break;
      }
      if (!found) {
        ids->resize(before);
        return ids->push_back(unknown_);
      }
      ids->push_back(*found);
      start = end;
    }
  }

 private:
  std::string prefix_;
  size_t most_characters_ = 100, longest_ = 1;
  int32_t unknown_ = 0;
};

}  // namespace

Result<std::unique_ptr<TokenModel>> MakeWordPiece(const Json& model, ModelLists lists) {
  auto wordpiece = std::make_unique<WordPiece>();
  DUNNOCK_TRY_STATUS(wordpiece->Read(model, std::move(lists)));
  return wordpiece;
}

}  // namespace dunnock
