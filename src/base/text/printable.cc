#include "base/text/printable.h"

#include <algorithm>
#include <cstdio>

#include "base/str.h"
#include "base/text/utf8.h"

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

std::string Shortened(std::string_view message) {
  constexpr size_t kMostOfAWord = 1000;  // longer than any path that works
  std::string out;
  for (size_t at = 0; at < message.size();) {
    const size_t end = std::min(message.find_first_of(" \n", at), message.size());
    size_t shown = std::min(end, at + kMostOfAWord);
    while (shown < end && (message[shown] & 0xC0) == 0x80) --shown;  // whole characters
    out += message.substr(at, shown - at);
    if (shown < end) out += Str("... (", end - shown, " more bytes)");
    if (end < message.size()) out += message[end];
    at = end + 1;
  }
  return out;
}

}  // namespace dunnock
