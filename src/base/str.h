#pragma once
// Str("row ", i, " of ", n) concatenates text and numbers, for error messages and output. Floats
// print as with printf's %g, in 6 digits.

#include <concepts>
#include <cstdio>
#include <string>
#include <string_view>

namespace dunnock {

inline void AppendPiece(std::string& out, std::string_view piece) { out += piece; }
inline void AppendPiece(std::string& out, char piece) { out += piece; }
inline void AppendPiece(std::string& out, std::floating_point auto piece) {
  char buffer[32];
  out.append(buffer, static_cast<size_t>(
                         std::snprintf(buffer, sizeof buffer, "%g", static_cast<double>(piece))));
}
template <std::integral T>
  requires(!std::same_as<T, char>)
inline void AppendPiece(std::string& out, T piece) {
  out += std::to_string(piece);
}

template <typename... Pieces>
std::string Str(const Pieces&... pieces) {
  std::string out;
  (AppendPiece(out, pieces), ...);
  return out;
}

}  // namespace dunnock
