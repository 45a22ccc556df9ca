#pragma once
// Numbers and columns as people read them.

#include <cstdint>
#include <string>

namespace dunnock::cli {

std::string HumanBytes(uint64_t bytes);  // "98.4 MB"
std::string Grouped(uint64_t count);     // "134,515,008"

// At least `width` bytes wide, and two blanks to the next column.
std::string Padded(std::string text, size_t width);
std::string PaddedLeft(std::string text, size_t width);

}  // namespace dunnock::cli
