#include "base/text/split_name.h"

#include <charconv>
#include <cstdio>

#include "base/str.h"

namespace dunnock {
namespace {

constexpr size_t kDigits = 5;
constexpr size_t kMostParts = 1000;
constexpr std::string_view kOf = "-of-";

std::optional<size_t> Number(std::string_view digits) {
  size_t out = 0;
  const char* const end = digits.data() + digits.size();
  const auto [stop, error] = std::from_chars(digits.data(), end, out);
  if (error != std::errc() || stop != end || out == 0) return std::nullopt;
  return out;
}

std::string Padded(size_t number) {
  char text[24];
  std::snprintf(text, sizeof text, "%0*zu", static_cast<int>(kDigits), number);
  return text;
}

}  // namespace

std::string SplitName::Part(size_t number) const {
  return Str(stem, "-", Padded(number), kOf, Padded(count), extension);
}

std::optional<SplitName> ParseSplitName(std::string_view name) {
  constexpr size_t kTail = 1 + kDigits + kOf.size() + kDigits;  // "-00001-of-00003"
  const size_t dot = name.rfind('.');
  if (dot == std::string_view::npos || dot < kTail) return std::nullopt;
  const std::string_view tail = name.substr(dot - kTail, kTail);
  if (tail.front() != '-' || tail.substr(1 + kDigits, kOf.size()) != kOf) return std::nullopt;
  const auto part = Number(tail.substr(1, kDigits));
  const auto count = Number(tail.substr(kTail - kDigits));
  if (!part || !count || *part > *count || *count > kMostParts) return std::nullopt;
  return SplitName{std::string(name.substr(0, dot - kTail)), std::string(name.substr(dot)), *part,
                   *count};
}

}  // namespace dunnock
