#pragma once
// Properties of characters that tokenizers need: categories, lower case, normalization forms,
// grapheme clusters. They come from generated tables, so they are the same on every machine.

#include <cstdint>
#include <string>
#include <string_view>

namespace dunnock {

// General categories, in the order of the generated tables.
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
bool IsNumeric(char32_t c);     // \p{N} of a later version of Unicode, as Rust's char::is_numeric
bool IsWord(char32_t c);        // \w
// Classes by the old version of Unicode with which BERT's vocabularies were made
// (tools/tables/make_unicode_tables.py).
bool IsBertControl(char32_t c);  // Cc, Cf, Co except tab, newline, return; clean_text drops them
bool IsBertPunctuation(char32_t c);  // \p{P} and all symbols in ASCII
bool IsBertAccent(char32_t c);       // Mn
bool IsCombiningMark(char32_t c);    // M, for StripAccents

void AppendLowerCase(std::u32string& out, char32_t c);

enum class NormalForm { kNfc, kNfd, kNfkc, kNfkd };
std::u32string Normalize(std::u32string_view text, NormalForm form);

// The length in code points of the extended grapheme cluster at the start of `text` (UAX 29).
size_t GraphemeClusterLength(std::u32string_view text);

}  // namespace dunnock
