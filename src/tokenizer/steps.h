#pragma once
// The steps before a tokenizer's model, made from tokenizer.json: normalizers change a text,
// pre-tokenizers cut it into pieces. Each follows the component of the same name in Hugging Face's
// tokenizers.

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/result.h"

namespace dunnock {

// What stands for a space in SentencePiece's vocabularies.
inline constexpr std::string_view kMetaspace = "\u2581";

using Normalizer = std::function<void(std::string* text)>;

// A text and the ranges of it that are pieces, in order.
struct Pieces {
  struct Range {
    size_t begin, end;
    bool first;  // it begins the text: where Metaspace's "first" puts its mark
  };
  std::string text;
  std::vector<Range> ranges;

  void Clear() {
    text.clear();
    ranges.clear();
  }
  std::string_view TextOf(const Range& range) const {
    return std::string_view(text).substr(range.begin, range.end - range.begin);
  }
  // Adds a range up to the end of the text, if that is not empty.
  void AddRange(size_t begin, bool first) {
    if (begin < text.size()) ranges.push_back({begin, text.size(), first});
  }
};
using PreTokenizer = std::function<void(Pieces* pieces)>;

// A null component gives an empty function.
Result<Normalizer> MakeNormalizer(const Json* component, int depth = 0);
Result<PreTokenizer> MakePreTokenizer(const Json* component, int depth = 0);

// SentencePiece's precompiled map of characters to their normal forms.
Result<Normalizer> MakePrecompiled(std::string_view charsmap);

void LowerCase(std::string* text);

// GPT-2's stand-ins for bytes: printable characters for all 256.
char32_t ByteToChar(uint8_t byte);
int CharToByte(char32_t c);  // -1: none

void ReplaceAll(std::string* text, std::string_view from, std::string_view to);

// "Sequence" components nest; a file could nest them without end.
inline constexpr int kMostNesting = 8;
// Bytes that Precompiled puts in place of a character.
inline constexpr size_t kLongestMapping = 64;
}  // namespace dunnock
