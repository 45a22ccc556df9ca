#pragma once
// Tokens that are cut out of a text before anything else happens to it: special ones ("<s>"), and
// plain additions to a vocabulary. The longest of those that begin leftmost is taken.

#include <array>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/result.h"

namespace dunnock {

struct AddedToken {
  int32_t id = 0;
  std::string content;
  bool special = false, normalized = false, lstrip = false, rstrip = false, single_word = false;
};

class AddedTokens {
 public:
  void Add(AddedToken token);
  const std::vector<AddedToken>& tokens() const { return tokens_; }
  const AddedToken* Find(int32_t id) const;
  const AddedToken* Find(std::string_view content) const;

  struct Segment {
    size_t begin, end;
    const AddedToken* token;  // null: text between tokens
  };
  // Whether a token found at [begin, end) may be taken.
  using Allow = std::function<bool(const AddedToken& token, size_t begin, size_t end)>;
  // Cuts text at the tokens whose `normalized` is as given.
  std::vector<Segment> Split(std::string_view text, bool normalized, const Allow& allow) const;

 private:
  std::vector<AddedToken> tokens_;
  std::array<std::vector<uint32_t>, 256> by_first_byte_;  // longest first
};

Result<AddedToken> ReadAddedToken(const Json& json);

}  // namespace dunnock
