#include "text/added_tokens.h"

#include <algorithm>

#include "base/str.h"
#include "base/utf8.h"
#include "text/token_model.h"
#include "text/unicode.h"

namespace dunnock {
namespace {

bool IsWordCharacter(char32_t c) {
  const Category k = CategoryOf(c);
  return IsLetter(c) || k == Category::kNd || k == Category::kNl || k == Category::kPc || k == Category::kMn ||
         k == Category::kMc || k == Category::kMe;
}

// The character that ends just before `end`.
DecodedChar CharacterBefore(std::string_view text, size_t end) {
  size_t at = end - 1;
  while (at > 0 && end - at < 4 && (static_cast<uint8_t>(text[at]) & 0xC0) == 0x80) --at;
  DecodedChar c = DecodeUtf8(text, at);
  if (at + c.size != end) c = {kReplacementCharacter, 1, false};
  return c;
}

}  // namespace

void AddedTokens::Add(AddedToken token) {
  if (token.content.empty()) return;
  const auto index = static_cast<uint32_t>(tokens_.size());
  auto& list = by_first_byte_[static_cast<uint8_t>(token.content[0])];
  const auto at = std::find_if(list.begin(), list.end(), [&](uint32_t i) { return tokens_[i].content.size() < token.content.size(); });
  list.insert(at, index);
  tokens_.push_back(std::move(token));
}

const AddedToken* AddedTokens::Find(int32_t id) const {
  const auto it = std::find_if(tokens_.begin(), tokens_.end(), [&](const AddedToken& t) { return t.id == id; });
  return it == tokens_.end() ? nullptr : &*it;
}

const AddedToken* AddedTokens::Find(std::string_view content) const {
  const auto it = std::find_if(tokens_.begin(), tokens_.end(), [&](const AddedToken& t) { return t.content == content; });
  return it == tokens_.end() ? nullptr : &*it;
}

std::vector<AddedTokens::Segment> AddedTokens::Split(std::string_view text, bool normalized, const Allow& allow) const {
  std::vector<Segment> out;
  size_t begun = 0;  // where the text not yet given begins
  for (size_t at = 0; at < text.size();) {
    const AddedToken* found = nullptr;
    for (const uint32_t i : by_first_byte_[static_cast<uint8_t>(text[at])]) {
      const AddedToken& t = tokens_[i];
      if (t.normalized == normalized && text.substr(at).starts_with(t.content)) {
        found = &t;
        break;
      }
    }
    size_t begin = at, end = at + (found != nullptr ? found->content.size() : 0);
    if (found == nullptr || !allow(*found, begin, end) ||
        (found->single_word && ((begin > 0 && IsWordCharacter(CharacterBefore(text, begin).code_point)) ||
                                (end < text.size() && IsWordCharacter(DecodeUtf8(text, end).code_point))))) {
      ++at;
      continue;
    }
    at = end;
    while (found->lstrip && begin > begun) {
      const DecodedChar c = CharacterBefore(text, begin);
      if (!IsWhiteSpace(c.code_point)) break;
      begin -= c.size;
    }
    while (found->rstrip && end < text.size()) {
      const DecodedChar c = DecodeUtf8(text, end);
      if (!IsWhiteSpace(c.code_point)) break;
      end += c.size;
    }
    begin = std::max(begin, begun);
    if (begun < begin) out.push_back({begun, begin, nullptr});
    out.push_back({begin, end, found});
    begun = end;
    at = std::max(at, end);
  }
  if (begun < text.size()) out.push_back({begun, text.size(), nullptr});
  return out;
}

Result<AddedToken> ReadAddedToken(const Json& json) {
  AddedToken token;
  DUNNOCK_TRY(token.content, RequiredString(json, "content"));
  DUNNOCK_TRY(const int64_t id, RequiredInt(json, "id", 0, kMostTokens - 1));
  token.id = static_cast<int32_t>(id);
  token.special = FindBool(json, "special").value_or(false);
  token.normalized = FindBool(json, "normalized").value_or(!token.special);
  token.lstrip = FindBool(json, "lstrip").value_or(false);
  token.rstrip = FindBool(json, "rstrip").value_or(false);
  token.single_word = FindBool(json, "single_word").value_or(false);
  return token;
}

}  // namespace dunnock
