#pragma once
// Tokens that are cut out of a text before anything else happens to it: special ones ("<s>"), and
// plain additions to a vocabulary. The longest of those that begin leftmost is taken. Build, once
// all are added, before Split.

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
  std::string text;  // what it decodes to: content, normalized if `normalized`
  bool special = false;
  bool normalized = false;   // looked for in the normalized text, by its own normalized form
  bool lstrip = false;       // takes the white space before it along
  bool rstrip = false;       // and behind it
  bool single_word = false;  // not inside a word
};

class AddedTokens {
 public:
  void Add(AddedToken token);
  Status Build(const Normalizer& normalizer);
  const std::vector<AddedToken>& tokens() const { return tokens_; }
  // Whether a special token is looked for in normalized text.
  bool has_normalized_special() const { return normalized_special_; }
  const AddedToken* Find(int32_t id) const;
  const AddedToken* Find(std::string_view content) const;

  struct Segment {
    size_t begin, end;
    const AddedToken* token;  // null: text between tokens
  };
  // What becomes of a token found at [begin, end): it is taken, its text is left alone, or its text
  // is searched for other tokens.
  enum class Verdict { kTake, kLeave, kSearch };
  using Judge = std::function<Verdict(const AddedToken& token, size_t begin, size_t end)>;
  // Cuts text at the tokens whose `normalized` is as given.
  std::vector<Segment> Split(std::string_view text, bool normalized, const Judge& judge) const;

 private:
  std::vector<AddedToken> tokens_;
  std::unordered_map<int32_t, size_t> by_id_;
  std::unordered_map<std::string, size_t> by_content_;
  Trie trie_, normalized_trie_;
  bool normalized_special_ = false;
};

Result<AddedToken> ReadAddedToken(const Json& json);

}  // namespace dunnock
