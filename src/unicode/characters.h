#pragma once
// What tokenizers need to know of characters: categories, lower case, normalization forms, grapheme
// clusters. From generated tables, so that every machine agrees.

#include <cstdint>
#include <string>
#include <string_view>

namespace dunnock {

// In the order of the generated tables.
enum class Category : uint8_t {
  kCn,
  kCc,
  kCf,
  kCo,
  kCs,
  kLl,
  kLm,
  kLo,
  kLt,
  kLu,
  kMc,
  kMe,
  kMn,
  kNd,
  kNl,
  kNo,
  kPc,
  kPd,
  kPe,
  kPf,
  kPi,
  kPo,
  kPs,
  kSc,
  kSk,
  kSm,
  kSo,
  kZl,
  kZp,
  kZs,
};

Category CategoryOf(char32_t c);
bool IsWhiteSpace(char32_t c);  // the property White_Space, as Rust's char::is_whitespace
bool IsLetter(char32_t c);      // \p{L}
bool IsNumber(char32_t c);      // \p{N}
bool IsNumeric(char32_t c);     // the same a version of Unicode later, as Rust's char::is_numeric
bool IsWord(char32_t c);        // \w
// Classes of an old version of Unicode, with which vocabularies were made
// (tools/tables/make_unicode_tables.py).
bool IsBertControl(char32_t c);      // what clean_text drops: Cc, Cf, Co but tab, newline, return
bool IsBertPunctuation(char32_t c);  // P and ASCII's symbols
bool IsBertAccent(char32_t c);       // Mn
bool IsCombiningMark(char32_t c);    // M, for StripAccents

void AppendLowerCase(std::u32string& out, char32_t c);

enum class NormalForm { kNfc, kNfd, kNfkc, kNfkd };
std::u32string Normalize(std::u32string_view text, NormalForm form);

// Length in code points of the extended grapheme cluster at the start of text (UAX 29).
size_t GraphemeClusterLength(std::u32string_view text);

}  // namespace dunnock
