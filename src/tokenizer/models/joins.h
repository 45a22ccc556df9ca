#pragma once
// Joins: which two characters may stand side by side inside a token of a BPE vocabulary. Between
// characters that may not, a piece can be cut into words that are merged alone, without changing an
// id. ASCII characters and the mark for a space are classes of their own, all others are one class.

#include <array>
#include <bitset>
#include <cstddef>
#include <string_view>

#include "tokenizer/vocabulary.h"

namespace dunnock {

class Joins {
 public:
  // Adds a merge: the last character of `left` and the first of `right` may stand side by side.
  void Add(std::string_view left, std::string_view right);

  // To be called once, after all Add. Characters outside the vocabulary become bytes or unknown
  // tokens, which may join anything; but a mark still begins a word after them, unless some merge
  // joins it to the end of something that is not a mark.
  void AllowUnknown(const Vocabulary& vocabulary);

  // The length in bytes of the first word of a piece.
  size_t WordSize(std::string_view piece) const;

 private:
  static constexpr size_t kMark = 128, kOther = 129, kClasses = 130;
  static size_t ClassOf(std::string_view text);  // of its first character

  std::array<std::bitset<kClasses>, kClasses> table_;  // [left][right]
};

}  // namespace dunnock
