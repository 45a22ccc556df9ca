#include "jinja/builtins/case.h"

#include <algorithm>
#include <unordered_map>

#include "base/text/utf8.h"
#include "unicode/characters.h"

namespace dunnock::jinja {
namespace {

struct Special {
  char32_t from;
  const char32_t* to;
};
// Where upper case is not lower case turned round, and title case not upper case (Unicode 14, as
// Python 3.11). By code point.
// clang-format off
constexpr Special kUpper[] = {{0xB5, U"\u039c"}, {0xDF, U"SS"}, {0x131, U"I"}, {0x149,
    U"\u02bcN"}, {0x17F, U"S"}, {0x1C5, U"\u01c4"}, {0x1C8, U"\u01c7"}, {0x1CB, U"\u01ca"}, {0x1F0,
    U"J\u030c"}, {0x1F2, U"\u01f1"}, {0x345, U"\u0399"}, {0x390, U"\u0399\u0308\u0301"}, {0x3B0,
    U"\u03a5\u0308\u0301"}, {0x3C2, U"\u03a3"}, {0x3D0, U"\u0392"}, {0x3D1, U"\u0398"}, {0x3D5,
    U"\u03a6"}, {0x3D6, U"\u03a0"}, {0x3F0, U"\u039a"}, {0x3F1, U"\u03a1"}, {0x3F5, U"\u0395"},
    {0x587, U"\u0535\u0552"}, {0x1C80, U"\u0412"}, {0x1C81, U"\u0414"}, {0x1C82, U"\u041e"}, {0x1C83,
    U"\u0421"}, {0x1C84, U"\u0422"}, {0x1C85, U"\u0422"}, {0x1C86, U"\u042a"}, {0x1C87, U"\u0462"},
    {0x1C88, U"\ua64a"}, {0x1E96, U"H\u0331"}, {0x1E97, U"T\u0308"}, {0x1E98, U"W\u030a"}, {0x1E99,
    U"Y\u030a"}, {0x1E9A, U"A\u02be"}, {0x1E9B, U"\u1e60"}, {0x1F50, U"\u03a5\u0313"}, {0x1F52,
    U"\u03a5\u0313\u0300"}, {0x1F54, U"\u03a5\u0313\u0301"}, {0x1F56, U"\u03a5\u0313\u0342"},
    {0x1F80, U"\u1f08\u0399"}, {0x1F81, U"\u1f09\u0399"}, {0x1F82, U"\u1f0a\u0399"}, {0x1F83,
    U"\u1f0b\u0399"}, {0x1F84, U"\u1f0c\u0399"}, {0x1F85, U"\u1f0d\u0399"}, {0x1F86,
    U"\u1f0e\u0399"}, {0x1F87, U"\u1f0f\u0399"}, {0x1F88, U"\u1f08\u0399"}, {0x1F89,
    U"\u1f09\u0399"}, {0x1F8A, U"\u1f0a\u0399"}, {0x1F8B, U"\u1f0b\u0399"}, {0x1F8C,
    U"\u1f0c\u0399"}, {0x1F8D, U"\u1f0d\u0399"}, {0x1F8E, U"\u1f0e\u0399"}, {0x1F8F,
    U"\u1f0f\u0399"}, {0x1F90, U"\u1f28\u0399"}, {0x1F91, U"\u1f29\u0399"}, {0x1F92,
    U"\u1f2a\u0399"}, {0x1F93, U"\u1f2b\u0399"}, {0x1F94, U"\u1f2c\u0399"}, {0x1F95,
    U"\u1f2d\u0399"}, {0x1F96, U"\u1f2e\u0399"}, {0x1F97, U"\u1f2f\u0399"}, {0x1F98,
    U"\u1f28\u0399"}, {0x1F99, U"\u1f29\u0399"}, {0x1F9A, U"\u1f2a\u0399"}, {0x1F9B,
    U"\u1f2b\u0399"}, {0x1F9C, U"\u1f2c\u0399"}, {0x1F9D, U"\u1f2d\u0399"}, {0x1F9E,
    U"\u1f2e\u0399"}, {0x1F9F, U"\u1f2f\u0399"}, {0x1FA0, U"\u1f68\u0399"}, {0x1FA1,
    U"\u1f69\u0399"}, {0x1FA2, U"\u1f6a\u0399"}, {0x1FA3, U"\u1f6b\u0399"}, {0x1FA4,
    U"\u1f6c\u0399"}, {0x1FA5, U"\u1f6d\u0399"}, {0x1FA6, U"\u1f6e\u0399"}, {0x1FA7,
    U"\u1f6f\u0399"}, {0x1FA8, U"\u1f68\u0399"}, {0x1FA9, U"\u1f69\u0399"}, {0x1FAA,
    U"\u1f6a\u0399"}, {0x1FAB, U"\u1f6b\u0399"}, {0x1FAC, U"\u1f6c\u0399"}, {0x1FAD,
    U"\u1f6d\u0399"}, {0x1FAE, U"\u1f6e\u0399"}, {0x1FAF, U"\u1f6f\u0399"}, {0x1FB2,
    U"\u1fba\u0399"}, {0x1FB3, U"\u0391\u0399"}, {0x1FB4, U"\u0386\u0399"}, {0x1FB6,
    U"\u0391\u0342"}, {0x1FB7, U"\u0391\u0342\u0399"}, {0x1FBC, U"\u0391\u0399"}, {0x1FBE,
    U"\u0399"}, {0x1FC2, U"\u1fca\u0399"}, {0x1FC3, U"\u0397\u0399"}, {0x1FC4, U"\u0389\u0399"},
    {0x1FC6, U"\u0397\u0342"}, {0x1FC7, U"\u0397\u0342\u0399"}, {0x1FCC, U"\u0397\u0399"}, {0x1FD2,
    U"\u0399\u0308\u0300"}, {0x1FD3, U"\u0399\u0308\u0301"}, {0x1FD6, U"\u0399\u0342"}, {0x1FD7,
    U"\u0399\u0308\u0342"}, {0x1FE2, U"\u03a5\u0308\u0300"}, {0x1FE3, U"\u03a5\u0308\u0301"},
    {0x1FE4, U"\u03a1\u0313"}, {0x1FE6, U"\u03a5\u0342"}, {0x1FE7, U"\u03a5\u0308\u0342"}, {0x1FF2,
    U"\u1ffa\u0399"}, {0x1FF3, U"\u03a9\u0399"}, {0x1FF4, U"\u038f\u0399"}, {0x1FF6,
    U"\u03a9\u0342"}, {0x1FF7, U"\u03a9\u0342\u0399"}, {0x1FFC, U"\u03a9\u0399"}, {0xFB00, U"FF"},
    {0xFB01, U"FI"}, {0xFB02, U"FL"}, {0xFB03, U"FFI"}, {0xFB04, U"FFL"}, {0xFB05, U"ST"}, {0xFB06,
    U"ST"}, {0xFB13, U"\u0544\u0546"}, {0xFB14, U"\u0544\u0535"}, {0xFB15, U"\u0544\u053b"}, {0xFB16,
    U"\u054e\u0546"}, {0xFB17, U"\u0544\u053d"}};
constexpr Special kTitle[] = {{0xDF, U"Ss"}, {0x1C4, U"\u01c5"}, {0x1C5, U"\u01c5"}, {0x1C6,
    U"\u01c5"}, {0x1C7, U"\u01c8"}, {0x1C8, U"\u01c8"}, {0x1C9, U"\u01c8"}, {0x1CA, U"\u01cb"},
    {0x1CB, U"\u01cb"}, {0x1CC, U"\u01cb"}, {0x1F1, U"\u01f2"}, {0x1F2, U"\u01f2"}, {0x1F3,
    U"\u01f2"}, {0x587, U"\u0535\u0582"}, {0x1F80, U"\u1f88"}, {0x1F81, U"\u1f89"}, {0x1F82,
    U"\u1f8a"}, {0x1F83, U"\u1f8b"}, {0x1F84, U"\u1f8c"}, {0x1F85, U"\u1f8d"}, {0x1F86, U"\u1f8e"},
    {0x1F87, U"\u1f8f"}, {0x1F88, U"\u1f88"}, {0x1F89, U"\u1f89"}, {0x1F8A, U"\u1f8a"}, {0x1F8B,
    U"\u1f8b"}, {0x1F8C, U"\u1f8c"}, {0x1F8D, U"\u1f8d"}, {0x1F8E, U"\u1f8e"}, {0x1F8F, U"\u1f8f"},
    {0x1F90, U"\u1f98"}, {0x1F91, U"\u1f99"}, {0x1F92, U"\u1f9a"}, {0x1F93, U"\u1f9b"}, {0x1F94,
    U"\u1f9c"}, {0x1F95, U"\u1f9d"}, {0x1F96, U"\u1f9e"}, {0x1F97, U"\u1f9f"}, {0x1F98, U"\u1f98"},
    {0x1F99, U"\u1f99"}, {0x1F9A, U"\u1f9a"}, {0x1F9B, U"\u1f9b"}, {0x1F9C, U"\u1f9c"}, {0x1F9D,
    U"\u1f9d"}, {0x1F9E, U"\u1f9e"}, {0x1F9F, U"\u1f9f"}, {0x1FA0, U"\u1fa8"}, {0x1FA1, U"\u1fa9"},
    {0x1FA2, U"\u1faa"}, {0x1FA3, U"\u1fab"}, {0x1FA4, U"\u1fac"}, {0x1FA5, U"\u1fad"}, {0x1FA6,
    U"\u1fae"}, {0x1FA7, U"\u1faf"}, {0x1FA8, U"\u1fa8"}, {0x1FA9, U"\u1fa9"}, {0x1FAA, U"\u1faa"},
    {0x1FAB, U"\u1fab"}, {0x1FAC, U"\u1fac"}, {0x1FAD, U"\u1fad"}, {0x1FAE, U"\u1fae"}, {0x1FAF,
    U"\u1faf"}, {0x1FB2, U"\u1fba\u0345"}, {0x1FB3, U"\u1fbc"}, {0x1FB4, U"\u0386\u0345"}, {0x1FB7,
    U"\u0391\u0342\u0345"}, {0x1FBC, U"\u1fbc"}, {0x1FC2, U"\u1fca\u0345"}, {0x1FC3, U"\u1fcc"},
    {0x1FC4, U"\u0389\u0345"}, {0x1FC7, U"\u0397\u0342\u0345"}, {0x1FCC, U"\u1fcc"}, {0x1FF2,
    U"\u1ffa\u0345"}, {0x1FF3, U"\u1ffc"}, {0x1FF4, U"\u038f\u0345"}, {0x1FF7,
    U"\u03a9\u0342\u0345"}, {0x1FFC, U"\u1ffc"}, {0xFB00, U"Ff"}, {0xFB01, U"Fi"}, {0xFB02, U"Fl"},
    {0xFB03, U"Ffi"}, {0xFB04, U"Ffl"}, {0xFB05, U"St"}, {0xFB06, U"St"}, {0xFB13, U"\u0544\u0576"},
    {0xFB14, U"\u0544\u0565"}, {0xFB15, U"\u0544\u056b"}, {0xFB16, U"\u054e\u0576"}, {0xFB17,
    U"\u0544\u056d"}};
// clang-format on

template <size_t kCount>
const char32_t* FindSpecial(const Special (&table)[kCount], char32_t c) {
  const Special* it = std::lower_bound(std::begin(table), std::end(table), c,
                                       [](const Special& s, char32_t x) { return s.from < x; });
  return it != std::end(table) && it->from == c ? it->to : nullptr;
}

void AppendUpper(std::u32string& out, char32_t c) {
  static const std::unordered_map<char32_t, char32_t> upper = [] {
    std::unordered_map<char32_t, char32_t> map;
    std::u32string lower;
    for (char32_t u = 0; u < 0x1E944; ++u) {  // no cased script lies above Adlam
      lower.clear();
      AppendLowerCase(lower, u);
      if (lower.size() == 1 && lower[0] != u) map.emplace(lower[0], u);
    }
    return map;
  }();
  if (const char32_t* special = FindSpecial(kUpper, c)) {
    out += special;
    return;
  }
  const auto it = upper.find(c);
  out += it == upper.end() ? c : it->second;
}

void AppendTitle(std::u32string& out, char32_t c) {
  if (const char32_t* special = FindSpecial(kTitle, c)) {
    out += special;
  } else if (c >= 0x10D0 && c <= 0x10FF) {  // Georgian has no title case
    out += c;
  } else {
    AppendUpper(out, c);
  }
}

bool Cased(char32_t c) {
  const Category category = CategoryOf(c);
  if (category == Category::kLu || category == Category::kLl || category == Category::kLt)
    return true;
  std::u32string other;
  AppendUpper(other, c);
  return other != std::u32string(1, c);
}
bool Lower(char32_t c) { return CategoryOf(c) == Category::kLl; }
bool Upper(char32_t c) { return CategoryOf(c) == Category::kLu; }
bool Title(char32_t c) { return CategoryOf(c) == Category::kLt; }

bool CaseIgnorable(char32_t c) {
  const Category category = CategoryOf(c);
  return category == Category::kMn || category == Category::kMe || category == Category::kCf ||
         category == Category::kLm || category == Category::kSk || c == '\'' || c == '.' ||
         c == ':' || c == 0xB7 || c == 0x2019;
}

void AppendLower(std::u32string& out, std::u32string_view text, size_t at) {
  if (text[at] != U'Σ') return AppendLowerCase(out, text[at]);
  size_t before = at, after = at + 1;  // a sigma at the end of a word
  while (before > 0 && CaseIgnorable(text[before - 1])) --before;
  while (after < text.size() && CaseIgnorable(text[after])) ++after;
  const bool final =
      before > 0 && Cased(text[before - 1]) && !(after < text.size() && Cased(text[after]));
  out += final ? U'ς' : U'σ';
}

}  // namespace

std::string UpperCase(const std::string& text) {
  std::u32string out;
  for (const char32_t c : ToUtf32(text)) AppendUpper(out, c);
  return ToUtf8(out);
}

std::string LowerCase(const std::string& text) {
  const std::u32string in = ToUtf32(text);
  std::u32string out;
  for (size_t i = 0; i < in.size(); ++i) AppendLower(out, in, i);
  return ToUtf8(out);
}

std::string SwappedCase(const std::string& text) {
  const std::u32string in = ToUtf32(text);
  std::u32string out;
  for (size_t i = 0; i < in.size(); ++i) {
    if (Upper(in[i])) {
      AppendLower(out, in, i);
    } else {
      AppendUpper(out, in[i]);
    }
  }
  return ToUtf8(out);
}

std::string Capitalized(const std::string& text) {
  const std::u32string in = ToUtf32(text);
  std::u32string out;
  for (size_t i = 0; i < in.size(); ++i) {
    if (i == 0) {
      AppendTitle(out, in[i]);
    } else {
      AppendLower(out, in, i);
    }
  }
  return ToUtf8(out);
}

std::string TitleCase(const std::string& text) {
  const std::u32string in = ToUtf32(text);
  std::u32string out;
  bool inside = false;
  for (size_t i = 0; i < in.size(); ++i) {
    if (inside) {
      AppendLower(out, in, i);
    } else {
      AppendTitle(out, in[i]);
    }
    inside = Cased(in[i]);
  }
  return ToUtf8(out);
}

std::string TitleCaseOfWords(const std::string& text) {
  std::string out, word;
  const auto flush = [&] {
    if (word.empty()) return;
    const size_t first = DecodeUtf8(word, 0).size;
    out += UpperCase(word.substr(0, first)) + LowerCase(word.substr(first));
    word.clear();
  };
  for (const char32_t c : ToUtf32(text)) {
    const bool border = IsWhiteSpace(c) || (c >= 0x1C && c <= 0x1F) || c == '-' || c == '(' ||
                        c == '{' || c == '[' || c == '<';
    if (border) flush();
    AppendUtf8(border ? out : word, c);
  }
  flush();
  return out;
}

bool IsUpperCase(const std::string& text) {
  bool cased = false;
  for (const char32_t c : ToUtf32(text)) {
    if (Lower(c) || Title(c)) return false;
    cased = cased || Upper(c);
  }
  return cased;
}

bool IsLowerCase(const std::string& text) {
  bool cased = false;
  for (const char32_t c : ToUtf32(text)) {
    if (Upper(c) || Title(c)) return false;
    cased = cased || Lower(c);
  }
  return cased;
}

bool IsTitleCase(const std::string& text) {
  bool cased = false, inside = false;
  for (const char32_t c : ToUtf32(text)) {
    if (Upper(c) || Title(c)) {
      if (inside) return false;
      cased = inside = true;
    } else if (Lower(c)) {
      if (!inside) return false;
      cased = true;
    } else {
      inside = false;
    }
  }
  return cased;
}

}  // namespace dunnock::jinja
