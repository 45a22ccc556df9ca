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

using Normalizer = std::function<void(std::string* text)>;

struct Piece {
  std::string text;
  bool first = true;  // it begins the text: where Metaspace's "first" puts its mark
};
using PreTokenizer = std::function<void(std::vector<Piece>* pieces)>;

// A null component gives an empty function.
Result<Normalizer> MakeNormalizer(const Json* component, int depth = 0);
Result<PreTokenizer> MakePreTokenizer(const Json* component, int depth = 0);

// SentencePiece's precompiled map of characters to their normal forms.
Result<Normalizer> MakePrecompiled(std::string_view charsmap);

// GPT-2's stand-ins for bytes: printable characters for all 256.
char32_t ByteToChar(uint8_t byte);
int CharToByte(char32_t c);  // -1: none

void ReplaceAll(std::string* text, std::string_view from, std::string_view to);

// "Sequence" components nest; a file could nest them without end.
inline constexpr int kMostNesting = 8;
// Bytes that Precompiled puts in place of a character.
inline constexpr size_t kLongestMapping = 64;
// Refuses a tokenizer.json whose normalizers, pre-tokenizers or decoders could blow up a text.
Status CheckStepLimits(const Json& tokenizer);

}  // namespace dunnock
