#include "cli/terminal/columns.h"

#include <cstdio>

namespace dunnock::cli {

std::string HumanBytes(uint64_t bytes) {
  char buffer[32];
  const double b = static_cast<double>(bytes);
  if (bytes < 1'000'000) {
    std::snprintf(buffer, sizeof buffer, "%.1f kB", b / 1e3);
  } else if (bytes < 1'000'000'000) {
    std::snprintf(buffer, sizeof buffer, "%.1f MB", b / 1e6);
  } else {
    std::snprintf(buffer, sizeof buffer, "%.2f GB", b / 1e9);
  }
  return buffer;
}

std::string Grouped(uint64_t count) {
  std::string text = std::to_string(count);
  for (size_t at = text.size(); at > 3; at -= 3) text.insert(at - 3, ",");
  return text;
}

std::string Padded(std::string text, size_t width) {
  if (text.size() < width) text.resize(width, ' ');
  return text + "  ";
}

std::string PaddedLeft(std::string text, size_t width) {
  if (text.size() < width) text.insert(0, width - text.size(), ' ');
  return text + "  ";
}

}  // namespace dunnock::cli
