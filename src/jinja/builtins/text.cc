#include <algorithm>

#include "base/str.h"
#include "base/text/utf8.h"
#include "jinja/builtins/builtins.h"
#include "unicode/characters.h"

namespace dunnock::jinja {
namespace {

// Python's str.isspace: the property and four separators.
bool IsPythonSpace(char32_t c) { return IsWhiteSpace(c) || (c >= 0x1C && c <= 0x1F); }

List SplitAtSpaces(const Text& text, int64_t most, bool from_right) {
  const std::string& s = text.str();
  std::vector<std::pair<size_t, size_t>> words;
  for (size_t at = 0; at < s.size();) {
    const DecodedChar c = DecodeUtf8(s, at);
    if (!IsPythonSpace(c.code_point)) {
      if (words.empty() || words.back().second != at) words.emplace_back(at, at);
      words.back().second = at + c.size;
    }
    at += c.size;
  }
  List out;
  const auto count = static_cast<int64_t>(words.size());
  if (most < 0 || count <= most) {
    for (const auto& [begin, end] : words) out.push_back(text.Slice(begin, end));
  } else if (from_right) {
    const auto first = static_cast<size_t>(count - most);
    out.push_back(text.Slice(0, words[first - 1].second));
    for (size_t i = first; i < words.size(); ++i)
      out.push_back(text.Slice(words[i].first, words[i].second));
  } else {
    for (size_t i = 0; i < static_cast<size_t>(most); ++i)
      out.push_back(text.Slice(words[i].first, words[i].second));
    out.push_back(text.Slice(words[static_cast<size_t>(most)].first, s.size()));
  }
  return out;
}

}  // namespace

size_t CountCharacters(const std::string& text) {
  return static_cast<size_t>(std::count_if(
      text.begin(), text.end(), [](char c) { return (static_cast<uint8_t>(c) & 0xC0) != 0x80; }));
}

Text TextSlice(const Text& text, size_t begin, size_t end) {
  size_t at = 0, n = 0, first = text.size();
  for (; at < text.size() && n < end; ++n) {
    if (n == begin) first = at;
    at += DecodeUtf8(text.str(), at).size;
  }
  return text.Slice(first, at);
}

Text Strip(const Text& text, const std::string* characters, bool left, bool right) {
  const std::string& s = text.str();
  const std::u32string set = characters == nullptr ? std::u32string() : ToUtf32(*characters);
  const auto strips = [&](char32_t c) {
    return characters == nullptr ? IsPythonSpace(c) : set.find(c) != std::u32string::npos;
  };
  size_t begin = 0, end = s.size();
  while (left && begin < end) {
    const DecodedChar c = DecodeUtf8(s, begin);
    if (!strips(c.code_point)) break;
    begin += c.size;
  }
  while (right && end > begin) {
    size_t at = end - 1;
    while (at > begin && (static_cast<uint8_t>(s[at]) & 0xC0) == 0x80) --at;
    if (!strips(DecodeUtf8(s, at).code_point)) break;
    end = at;
  }
  return text.Slice(begin, end);
}

// Before the memory is taken.
Status CheckReplaced(Limits& limits, const Text& text, const Text& from, const Text& to) {
  const size_t places = text.size() / std::max<size_t>(from.size(), 1) + 1;
  if (to.size() > from.size() && places * to.size() > limits.max_bytes) {
    size_t hits = from.size() == 0 ? places : 0;
    for (size_t at = 0;
         from.size() > 0 && (at = text.str().find(from.str(), at)) != std::string::npos;
         at += from.size())
      ++hits;
    if (text.size() + hits * to.size() > limits.max_bytes)
      return Fail(ErrorCode::kLimit, Str("a text of more than ", limits.max_bytes, " bytes"));
  }
  return limits.Charge(1 + text.size() / 16 + to.runs().size() * places);
}

Text Replace(const Text& text, const Text& from, const Text& to, int64_t most) {
  Text out;
  size_t at = 0;
  const std::string& s = text.str();
  if (from.size() == 0) {  // between all characters
    for (; most != 0; --most) {
      out.Append(to);
      if (at >= s.size()) return out;
      const size_t n = DecodeUtf8(s, at).size;
      out.Append(text.Slice(at, at + n));
      at += n;
    }
    out.Append(text.Slice(at, s.size()));
    return out;
  }
  for (size_t hit; most != 0 && (hit = s.find(from.str(), at)) != std::string::npos;
       at = hit + from.size(), --most) {
    out.Append(text.Slice(at, hit));
    out.Append(to);
  }
  out.Append(text.Slice(at, s.size()));
  return out;
}

List Split(const Text& text, const std::string* separator, int64_t most, bool from_right) {
  if (separator == nullptr) return SplitAtSpaces(text, most, from_right);
  const std::string& s = text.str();
  std::vector<size_t> hits;
  const auto enough = [&] { return most >= 0 && static_cast<int64_t>(hits.size()) >= most; };
  if (from_right) {
    for (size_t end = s.size(); !enough() && end >= separator->size();) {
      const size_t hit = s.rfind(*separator, end - separator->size());
      if (hit == std::string::npos) break;
      hits.push_back(hit);
      end = hit;
    }
    std::reverse(hits.begin(), hits.end());
  } else {
    for (size_t at = 0; !enough() && (at = s.find(*separator, at)) != std::string::npos;
         at += separator->size())
      hits.push_back(at);
  }
  List out;
  size_t at = 0;
  for (const size_t hit : hits) {
    out.push_back(text.Slice(at, hit));
    at = hit + separator->size();
  }
  out.push_back(text.Slice(at, s.size()));
  return out;
}

List SplitLines(const Text& text, bool keep_ends) {
  const std::string& s = text.str();
  List out;
  size_t begin = 0;
  for (size_t at = 0; at < s.size();) {
    const DecodedChar c = DecodeUtf8(s, at);
    const char32_t u = c.code_point;
    const size_t end = at;
    at += c.size;
    const bool breaks = (u >= '\n' && u <= '\r') || (u >= 0x1C && u <= 0x1E) || u == 0x85 ||
                        u == 0x2028 || u == 0x2029;
    if (!breaks) continue;
    if (u == '\r' && at < s.size() && s[at] == '\n') ++at;
    out.push_back(text.Slice(begin, keep_ends ? at : end));
    begin = at;
  }
  if (begin < s.size()) out.push_back(text.Slice(begin, s.size()));
  return out;
}

Text EscapeHtml(const Text& text) {
  Text out;
  size_t at = 0;
  for (size_t hit; (hit = text.str().find_first_of("&<>\"'", at)) != std::string::npos;
       at = hit + 1) {
    out.Append(text.Slice(at, hit));
    const char c = text.str()[hit];
    out.Append(Text(c == '&'   ? "&amp;"
                    : c == '<' ? "&lt;"
                    : c == '>' ? "&gt;"
                    : c == '"' ? "&#34;"
                               : "&#39;",
                    text.Slice(hit, hit + 1).trusted()));
  }
  out.Append(text.Slice(at, text.size()));
  return out;
}

}  // namespace dunnock::jinja
