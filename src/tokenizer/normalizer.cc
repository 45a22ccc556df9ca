#include <algorithm>
#include <array>
#include <cstring>

#include "base/str.h"
#include "base/text/utf8.h"
#include "tokenizer/steps.h"
#include "unicode/characters.h"

namespace dunnock {
namespace {

// Runs of at least two spaces, the one regular expression that published files use: " {2,}".
void ReplaceSpaceRuns(std::string* text, std::string_view to) {
  std::string out;
  for (size_t i = 0; i < text->size();) {
    size_t end = i;
    while (end < text->size() && (*text)[end] == ' ') ++end;
    if (end - i >= 2) {
      out += to;
      i = end;
    } else {
      out += (*text)[i++];
    }
  }
  *text = std::move(out);
}

bool IsCjk(char32_t c) {
  return (c >= 0x4E00 && c <= 0x9FFF) || (c >= 0x3400 && c <= 0x4DBF) ||
         (c >= 0x20000 && c <= 0x2A6DF) || (c >= 0x2A700 && c <= 0x2B73F) ||
         (c >= 0x2B740 && c <= 0x2B81F) || (c >= 0x2B920 && c <= 0x2CEAF) ||
         (c >= 0xF900 && c <= 0xFAFF) || (c >= 0x2F800 && c <= 0x2FA1F);
}

struct BertOptions {
  bool clean_text, handle_chinese_chars, strip_accents, lowercase;
};

void NormalizeBert(std::string* text, const BertOptions& options) {
  std::u32string out;
  for (const char32_t c : ToUtf32(*text)) {
    if (options.clean_text) {
      if (IsBertControl(c)) continue;
      out += IsWhiteSpace(c) ? U' ' : c;
    } else {
      out += c;
    }
  }
  if (options.handle_chinese_chars) {
    std::u32string spaced;
    for (const char32_t c : out) {
      if (IsCjk(c)) {
        spaced += {U' ', c, U' '};
      } else {
        spaced += c;
      }
    }
    out = std::move(spaced);
  }
  if (options.strip_accents) {
    out = Normalize(out, NormalForm::kNfd);
    std::erase_if(out, IsBertAccent);
  }
  if (options.lowercase) {
    std::u32string lower;
    for (const char32_t c : out) AppendLowerCase(lower, c);
    out = std::move(lower);
  }
  *text = ToUtf8(out);
}

// The double-array trie and its texts (Aoe 1989, as the darts-clone library lays it out).
class Charsmap {
 public:
  Status Read(std::string_view blob) {
    uint32_t trie_bytes = 0;
    if (blob.size() < 4) return Invalid("precompiled_charsmap: too short");
    std::memcpy(&trie_bytes, blob.data(), 4);
    if (trie_bytes % 4 != 0 || trie_bytes > blob.size() - 4) {
      return Invalid(
          Str("precompiled_charsmap: a trie of ", trie_bytes, " bytes in ", blob.size()));
    }
    units_.resize(trie_bytes / 4);
    std::memcpy(units_.data(), blob.data() + 4, trie_bytes);
    texts_ = blob.substr(4 + trie_bytes);
    for (size_t at = 0; at < texts_.size();) {
      const size_t end = std::min(texts_.find('\0', at), texts_.size());
      if (end - at > kLongestMapping)
        return Fail(ErrorCode::kLimit, Str("precompiled_charsmap: a text of ", end - at, " bytes"));
      at = end + 1;
    }
    for (char c = ' '; c < 0x7F; ++c) {
      std::string_view mapped;
      const std::string_view one(&c, 1);
      plain_[static_cast<uint8_t>(c)] = !Find(one, &mapped) || mapped == one;
    }
    return {};
  }

  void Apply(std::string* text) const {
    const std::string_view in = *text;
    const auto plain = [&](size_t i) { return plain_[static_cast<uint8_t>(in[i])]; };
    std::string out;
    out.reserve(in.size());
    // Between two plain characters a cluster ends. A plain one between such places stays as it is.
    for (size_t at = 0; at < in.size();) {
      size_t end = at;
      while (end < in.size() && plain(end) && (end + 1 == in.size() || plain(end + 1))) ++end;
      out += in.substr(at, end - at);
      if (end == in.size()) break;
      at = end++;
      while (end < in.size() && !(plain(end - 1) && plain(end))) ++end;
      ApplyToClusters(in.substr(at, end - at), &out);
      at = end;
    }
    *text = std::move(out);
  }

 private:
  void ApplyToClusters(std::string_view text, std::string* out) const {
    const std::u32string characters = ToUtf32(text);
    std::string cluster, one;
    for (size_t i = 0; i < characters.size();) {
      const size_t n = GraphemeClusterLength(std::u32string_view(characters).substr(i));
      cluster = ToUtf8(std::u32string_view(characters).substr(i, n));
      std::string_view mapped;
      // As the reference has it: short clusters are looked up whole, by the shortest entry that
      // begins them; else each character alone.
      if (cluster.size() < 6 && Find(cluster, &mapped)) {
        *out += mapped;
      } else {
        for (size_t j = i; j < i + n; ++j) {
          one.clear();
          AppendUtf8(one, characters[j]);
          *out += Find(one, &mapped) ? mapped : std::string_view(one);
        }
      }
      i += n;
    }
  }

  bool Find(std::string_view key, std::string_view* mapped) const {
    if (units_.empty()) return false;
    const auto offset = [](uint32_t unit) { return (unit >> 10) << ((unit & (1u << 9)) >> 6); };
    size_t node = offset(units_[0]);
    for (const char c : key) {
      const auto byte = static_cast<uint8_t>(c);
      if (byte == 0) return false;
      node ^= byte;
      if (node >= units_.size()) return false;
      const uint32_t unit = units_[node];
      if ((unit & ((1u << 31) | 0xFF)) != byte) return false;
      node ^= offset(unit);
      if (((unit >> 8) & 1) == 0) continue;
      if (node >= units_.size()) return false;
      const size_t at = units_[node] & 0x7FFFFFFF;
      if (at >= texts_.size()) return false;
      *mapped = std::string_view(texts_).substr(at);
      *mapped = mapped->substr(0, mapped->find('\0'));
      return true;
    }
    return false;
  }

  std::vector<uint32_t> units_;
  std::string texts_;
  std::array<bool, 256> plain_{};  // ASCII that is printed and maps to itself
};

Result<std::string> DecodeBase64(std::string_view text) {
  std::string out;
  uint32_t bits = 0;
  int count = 0;
  for (const char c : text) {
    int value = c >= 'A' && c <= 'Z'   ? c - 'A'
                : c >= 'a' && c <= 'z' ? c - 'a' + 26
                : c >= '0' && c <= '9' ? c - '0' + 52
                : c == '+'             ? 62
                : c == '/'             ? 63
                                       : -1;
    if (c == '=') break;
    if (value < 0) return Invalid("precompiled_charsmap: not base64");
    bits = bits << 6 | static_cast<uint32_t>(value);
    count += 6;
    if (count >= 8) out += static_cast<char>(bits >> (count -= 8));
  }
  return out;
}

void Strip(std::string* text, bool left, bool right) {
  std::u32string t = ToUtf32(*text);
  size_t begin = 0, end = t.size();
  while (left && begin < end && IsWhiteSpace(t[begin])) ++begin;
  while (right && end > begin && IsWhiteSpace(t[end - 1])) --end;
  if (begin != 0 || end != t.size())
    *text = ToUtf8(std::u32string_view(t).substr(begin, end - begin));
}

Normalizer ToForm(NormalForm form) {
  return [form](std::string* text) { *text = ToUtf8(Normalize(ToUtf32(*text), form)); };
}

}  // namespace

void LowerCase(std::string* text) {
  std::u32string lower;
  for (const char32_t c : ToUtf32(*text)) AppendLowerCase(lower, c);
  *text = ToUtf8(lower);
}

Result<Normalizer> MakePrecompiled(std::string_view charsmap) {
  auto map = std::make_shared<Charsmap>();
  DUNNOCK_TRY_STATUS(map->Read(charsmap));
  return [map](std::string* text) { map->Apply(text); };
}

Result<Normalizer> MakeNormalizer(const Json* component, int depth) {
  if (component == nullptr || component->is_null()) return Normalizer();
  if (depth > kMostNesting) return Fail(ErrorCode::kLimit, "normalizers nest too deeply");
  const std::string type = FindString(*component, "type").value_or("");
  const auto flag = [&](const char* key, bool fallback) {
    return FindBool(*component, key).value_or(fallback);
  };
  if (type == "Sequence") {
    std::vector<Normalizer> steps;
    const Json* list = FindMember(*component, "normalizers");
    for (const Json& step : list != nullptr && list->is_array() ? *list : Json::array()) {
      DUNNOCK_TRY(Normalizer made, MakeNormalizer(&step, depth + 1));
      if (made) steps.push_back(std::move(made));
    }
    return [steps](std::string* text) {
      for (const Normalizer& step : steps) step(text);
    };
  }
  if (type == "Prepend") {
    return [mark = FindString(*component, "prepend").value_or("")](std::string* text) {
      if (!text->empty()) text->insert(0, mark);
    };
  }
  if (type == "Replace") {
    const std::string to = FindString(*component, "content").value_or("");
    const Json* pattern = FindMember(*component, "pattern");
    if (pattern != nullptr) {
      if (const auto from = FindString(*pattern, "String"))
        return [from = *from, to](std::string* text) { ReplaceAll(text, from, to); };
      if (FindString(*pattern, "Regex") == " {2,}")
        return [to](std::string* text) { ReplaceSpaceRuns(text, to); };
    }
    return Unsupported(Str("normalizer Replace with the pattern ",
                           pattern == nullptr ? "none" : DumpJson(*pattern)));
  }
  if (type == "BertNormalizer") {
    const bool lowercase = flag("lowercase", true);
    const BertOptions options{flag("clean_text", true), flag("handle_chinese_chars", true),
                              flag("strip_accents", lowercase), lowercase};
    return [options](std::string* text) { NormalizeBert(text, options); };
  }
  if (type == "Precompiled") {
    DUNNOCK_TRY(const std::string blob,
                DecodeBase64(FindString(*component, "precompiled_charsmap").value_or("")));
    if (blob.empty()) return Normalizer();
    return MakePrecompiled(blob);
  }
  if (type == "NFC") return ToForm(NormalForm::kNfc);
  if (type == "NFD") return ToForm(NormalForm::kNfd);
  if (type == "NFKC") return ToForm(NormalForm::kNfkc);
  if (type == "NFKD") return ToForm(NormalForm::kNfkd);
  if (type == "Lowercase") return Normalizer(LowerCase);
  if (type == "StripAccents") {
    return [](std::string* text) {
      std::u32string t = ToUtf32(*text);
      std::erase_if(t, IsCombiningMark);
      *text = ToUtf8(t);
    };
  }
  if (type == "Strip") {
    return [left = flag("strip_left", true), right = flag("strip_right", true)](std::string* text) {
      Strip(text, left, right);
    };
  }
  return Unsupported(Str("normalizer \"", type, "\""));
}

}  // namespace dunnock
