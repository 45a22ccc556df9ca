#pragma once
// UTF-8. Invalid bytes decode to U+FFFD as Python's errors="replace" and the Unicode standard
// (best practice, "maximal subparts") do, so text from any source can be processed.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace dunnock {

inline constexpr char32_t kReplacementCharacter = 0xFFFD;

struct DecodedChar {
  char32_t code_point;  // kReplacementCharacter for an invalid sequence
  uint8_t size;         // bytes consumed, 1 to 4
  bool valid;
};

// Decodes the character at text[at]; at must be less than text.size().
DecodedChar DecodeUtf8(std::string_view text, size_t at);

// Appends the UTF-8 form of a code point (surrogates and values over 0x10FFFF become U+FFFD).
void AppendUtf8(std::string& out, char32_t code_point);

bool IsValidUtf8(std::string_view text);
std::string ReplaceInvalidUtf8(std::string_view text);
std::u32string ToUtf32(std::string_view text);
std::string ToUtf8(std::u32string_view text);

// How many bytes at the end of text begin a character that is not complete yet (0 to 3).
size_t IncompleteUtf8Tail(std::string_view text);

}  // namespace dunnock
