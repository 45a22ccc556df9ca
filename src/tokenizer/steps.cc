#include "tokenizer/steps.h"

namespace dunnock {

void ReplaceAll(std::string* text, std::string_view from, std::string_view to) {
  size_t hit = from.empty() ? std::string::npos : text->find(from);
  if (hit == std::string::npos) return;
  std::string out;
  size_t at = 0;
  for (; hit != std::string::npos; hit = text->find(from, at)) {
    out.append(*text, at, hit - at);
    out += to;
    at = hit + from.size();
  }
  out.append(*text, at);
  *text = std::move(out);
}

}  // namespace dunnock
