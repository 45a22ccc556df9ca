#pragma once
// Added tokens: tokens that are cut out of a text before its pre-tokenization, whatever the model's
// merges say: special ones ("<s>"), and plain additions to a vocabulary. Of the tokens that begin
// leftmost the longest is taken. Call Build once, after all Add and before Split; after that
// const methods may be called from any number of threads.

#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "tokenizer/models/trie.h"
#include "tokenizer/steps.h"

namespace dunnock {

struct AddedToken {
  int32_t id = 0;
  std::string content;
  std::string text;  // what it decodes to: content, in its normalized form if `normalized`
  bool special = false;
  bool normalized = false;   // its normalized form is looked for in the normalized text
  bool lstrip = false;       // white space before it belongs to it
  bool rstrip = false;       // white space after it belongs to it
  bool single_word = false;  // not found inside a word
};

class AddedTokens {
 public:
  void Add(AddedToken token);  // the first token of an id or of a content is the one found by it
  // kLimit if the texts of all tokens are too long together.
  Status Build(const Normalizer& normalizer);
  const std::vector<AddedToken>& tokens() const { return tokens_; }
  // Whether any special token is looked for in normalized text.
  bool has_normalized_special() const { return normalized_special_; }
  // nullptr if there is none. The tokens live as long as this object.
  const AddedToken* Find(int32_t id) const;
  const AddedToken* Find(std::string_view content) const;

  struct Segment {
    size_t begin, end;
    const AddedToken* token;  // nullptr: text between tokens
  };
  // What to do with a token found at bytes [begin, end): take it, leave its text as text, or search
  // that text for other tokens.
  enum class Verdict { kTake, kLeave, kSearch };
  using Judge = std::function<Verdict(const AddedToken& token, size_t begin, size_t end)>;
  // Cuts the text at those tokens whose `normalized` has the given value. The segments cover the
  // text in order; their bounds are byte offsets.
  std::vector<Segment> Split(std::string_view text, bool normalized, const Judge& judge) const;

 private:
  std::vector<AddedToken> tokens_;
  std::unordered_map<int32_t, size_t> by_id_;
  std::unordered_map<std::string, size_t> by_content_;
  Trie trie_, normalized_trie_;
  bool normalized_special_ = false;
};

// From an entry of "added_tokens" in tokenizer.json. kInvalid, kNotFound: see base/json.h.
Result<AddedToken> ReadAddedToken(const Json& json);

}  // namespace dunnock
