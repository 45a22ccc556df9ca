#pragma once
// The steps in front of a tokenizer's model, made from tokenizer.json: normalizers change a text,
// pre-tokenizers cut it into pieces. Each follows the component of the same name in Hugging Face's
// tokenizers. Texts are valid UTF-8. The functions made here keep no state: any number of threads
// may call them.

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/result.h"

namespace dunnock {

// The character that stands for a space in SentencePiece's vocabularies.
inline constexpr std::string_view kMetaspace = "\u2581";

using Normalizer = std::function<void(std::string* text)>;

// A text and the byte ranges in it that are pieces, in order.
struct Pieces {
  struct Range {
    size_t begin, end;
    bool first;  // it begins the user's text: Metaspace with "first" puts its mark only there
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
  // Adds the range from `begin` to the end of the text, unless it is empty.
  void AddRange(size_t begin, bool first) {
    if (begin < text.size()) ranges.push_back({begin, text.size(), first});
  }
};
using PreTokenizer = std::function<void(Pieces* pieces)>;

// From "normalizer" and "pre_tokenizer" of tokenizer.json; nullptr gives an empty function. `depth`
// counts nested sequences. Errors: kUnsupported for an unknown component, kInvalid for broken
// options, kLimit for sequences that nest too deeply.
Result<Normalizer> MakeNormalizer(const Json* component, int depth = 0);
Result<PreTokenizer> MakePreTokenizer(const Json* component, int depth = 0);

// A normalizer from SentencePiece's precompiled map of characters to their normal forms, in binary.
// kInvalid or kLimit if the map is broken.
Result<Normalizer> MakePrecompiled(std::string_view charsmap);

void LowerCase(std::string* text);

// GPT-2's printable characters that stand for the 256 bytes in byte-level vocabularies.
char32_t ByteToChar(uint8_t byte);
int CharToByte(char32_t c);  // -1: c stands for no byte

void ReplaceAll(std::string* text, std::string_view from, std::string_view to);

// How deep "Sequence" components may nest.
inline constexpr int kMostNesting = 8;
// The largest number of bytes that Precompiled may put in place of one character.
inline constexpr size_t kLongestMapping = 64;
}  // namespace dunnock
