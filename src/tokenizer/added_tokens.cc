#include "tokenizer/added_tokens.h"

#include <algorithm>

#include "base/str.h"
#include "base/text/utf8.h"
#include "tokenizer/models/token_model.h"
#include "unicode/characters.h"

namespace dunnock {
namespace {

constexpr size_t kMostAddedBytes = 64 << 20;

// The character that ends just before `end`.
DecodedChar CharacterBefore(std::string_view text, size_t end) {
  size_t at = end - 1;
  while (at > 0 && end - at < 4 && (static_cast<uint8_t>(text[at]) & 0xC0) == 0x80) --at;
  DecodedChar c = DecodeUtf8(text, at);
  if (at + c.size != end) c = {kReplacementCharacter, 1, false};
  return c;
}

bool IsInsideWord(std::string_view text, size_t begin, size_t end) {
  return (begin > 0 && IsWord(CharacterBefore(text, begin).code_point)) ||
         (end < text.size() && IsWord(DecodeUtf8(text, end).code_point));
}

}  // namespace

void AddedTokens::Add(AddedToken token) {
  by_id_.try_emplace(token.id, tokens_.size());
  by_content_.try_emplace(token.content, tokens_.size());
  normalized_special_ = normalized_special_ || (token.special && token.normalized);
  tokens_.push_back(std::move(token));
}

Status AddedTokens::Build(const Normalizer& normalizer) {
  std::vector<std::pair<std::string_view, int32_t>> plain, in_normalized;
  size_t bytes = 0;
  for (size_t i = 0; i < tokens_.size(); ++i) {
    AddedToken& token = tokens_[i];
    token.text = token.content;
    if (token.normalized && normalizer) normalizer(&token.text);
    bytes += token.text.size();
    if (bytes > kMostAddedBytes) return Fail(ErrorCode::kLimit, "added_tokens: texts too long");
    (token.normalized ? in_normalized : plain).emplace_back(token.text, static_cast<int32_t>(i));
  }
  trie_ = Trie(std::move(plain));
  normalized_trie_ = Trie(std::move(in_normalized));
  return {};
}

const AddedToken* AddedTokens::Find(int32_t id) const {
  const auto it = by_id_.find(id);
  return it == by_id_.end() ? nullptr : &tokens_[it->second];
}

const AddedToken* AddedTokens::Find(std::string_view content) const {
  const auto it = by_content_.find(std::string(content));
  return it == by_content_.end() ? nullptr : &tokens_[it->second];
}

std::vector<AddedTokens::Segment> AddedTokens::Split(std::string_view text, bool normalized,
                                                     const Judge& judge) const {
  const Trie& trie = normalized ? normalized_trie_ : trie_;
  std::vector<Segment> out;
  size_t given = 0;  // text before this has been given
  for (size_t at = trie.empty() ? text.size() : 0; at < text.size();) {
    const AddedToken* token = nullptr;
    size_t begin = at;
    size_t end = at + 1;
    trie.Prefixes(text.substr(at), [&](size_t length, int32_t index) {
      token = &tokens_[static_cast<size_t>(index)];
      end = at + length;
    });
    at = end;  // a text that was found is not looked into again, even if the token is not taken
    if (token == nullptr) continue;
    const Verdict verdict = judge(*token, begin, end);
    if (verdict == Verdict::kSearch) at = begin + 1;
    if (verdict != Verdict::kTake) continue;
    if (token->single_word && IsInsideWord(text, begin, end)) continue;
    while (token->lstrip && begin > given) {
      const DecodedChar c = CharacterBefore(text, begin);
      if (!IsWhiteSpace(c.code_point)) break;
      begin -= c.size;
    }
    while (token->rstrip && end < text.size()) {
      const DecodedChar c = DecodeUtf8(text, end);
      if (!IsWhiteSpace(c.code_point)) break;
      end += c.size;
    }
    if (given < begin) out.push_back({given, begin, nullptr});
    out.push_back({begin, end, token});
    given = end;
  }
  if (given < text.size()) out.push_back({given, text.size(), nullptr});
  return out;
}

Result<AddedToken> ReadAddedToken(const Json& json) {
  AddedToken token;
  DUNNOCK_TRY(token.content, RequiredString(json, "content"));
  DUNNOCK_TRY(const int64_t id, RequiredInt(json, "id", 0, kMostTokens - 1));
  token.id = static_cast<int32_t>(id);
  const auto flag = [&](bool* out, const char* key, bool otherwise) -> Status {
    const Json* value = FindMember(json, key);
    if (value != nullptr && !value->is_boolean()) {
      return Invalid(Str("added token \"", token.content, "\": \"", key, "\" is ", DumpJson(*value),
                         ": expected true or false"));
    }
    *out = value != nullptr ? value->get<bool>() : otherwise;
    return {};
  };
  DUNNOCK_TRY_STATUS(flag(&token.special, "special", false));
  DUNNOCK_TRY_STATUS(flag(&token.normalized, "normalized", !token.special));
  DUNNOCK_TRY_STATUS(flag(&token.lstrip, "lstrip", false));
  DUNNOCK_TRY_STATUS(flag(&token.rstrip, "rstrip", false));
  DUNNOCK_TRY_STATUS(flag(&token.single_word, "single_word", false));
  return token;
}

}  // namespace dunnock
