#pragma once
// Which neighbouring characters a token of BPE may hold. Between the others a piece can be cut into
// words that are merged alone, without changing an id. ASCII characters and the mark that stands
// for a space are told apart, all others are one class.

#include <array>
#include <bitset>
#include <cstddef>
#include <string_view>

#include "tokenizer/vocabulary.h"

namespace dunnock {

class Joins {
 public:
  // A merge: the end of left and the beginning of right may stand side by side in a token.
  void Add(std::string_view left, std::string_view right);

  // Once all merges are added. Characters outside the vocabulary become bytes or unknown tokens,
  // which may join anything; but a mark begins a word behind them too, unless some merge joins it
  // with what is no mark.
  void AllowUnknown(const Vocabulary& vocabulary);

  // Bytes of the first word of a piece.
  size_t WordSize(std::string_view piece) const;

 private:
  static constexpr size_t kMark = 128, kOther = 129, kClasses = 130;
  static size_t ClassOf(std::string_view text);  // of what the text begins with

  std::array<std::bitset<kClasses>, kClasses> table_;  // [before][behind]
};

}  // namespace dunnock
