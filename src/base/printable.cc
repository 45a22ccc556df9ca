#include "base/printable.h"

#include <cstdio>

#include "base/utf8.h"

namespace dunnock {
namespace {

bool IsControl(char32_t c) { return c < 0x20 || (c >= 0x7F && c < 0xA0); }

// Marks of direction, lines and paragraphs that terminals and editors act on.
bool IsMark(char32_t c) {
  return c == 0x061C || c == 0x200E || c == 0x200F || (c >= 0x2028 && c <= 0x202E) ||
         (c >= 0x2066 && c <= 0x2069);
}

}  // namespace

std::string Printable(std::string_view text, std::string_view keep) {
  std::string out;
  out.reserve(text.size());
  char buffer[16];
  for (size_t at = 0; at < text.size();) {
    const DecodedChar c = DecodeUtf8(text, at);
    const std::string_view bytes = text.substr(at, c.size);
    at += c.size;
    if (!c.valid) {
      for (const char byte : bytes) {
        std::snprintf(buffer, sizeof buffer, "\\x%02x", static_cast<unsigned char>(byte));
        out += buffer;
      }
    } else if (IsControl(c.code_point) && (c.size > 1 || keep.find(bytes[0]) == keep.npos)) {
      // "\u007f" and not "\x7f": JSON stays JSON.
      std::snprintf(buffer, sizeof buffer, c.code_point < 0x20 ? "\\x%02x" : "\\u%04x",
                    static_cast<unsigned>(c.code_point));
      out += buffer;
    } else if (IsMark(c.code_point)) {
      std::snprintf(buffer, sizeof buffer, "\\u%04x", static_cast<unsigned>(c.code_point));
      out += buffer;
    } else {
      out += bytes;
    }
  }
  return out;
}

}  // namespace dunnock
