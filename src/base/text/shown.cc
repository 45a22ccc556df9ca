#include "base/text/shown.h"

namespace dunnock {

std::string Shown(const Json& json) {
  constexpr size_t kMost = 60;
  std::string text = DumpJson(json);
  if (text.size() <= kMost) return text;
  size_t end = kMost;
  while ((text[end] & 0xC0) == 0x80) --end;  // whole characters
  return text.substr(0, end) + "...";
}

}  // namespace dunnock
