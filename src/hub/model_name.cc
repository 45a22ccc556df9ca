#include "hub/model_name.h"

#include <algorithm>

namespace dunnock {

ModelName SplitModelName(const std::string& text) {
  ModelName out;
  const size_t colon = text.rfind(':');
  out.plain = text.substr(0, colon);
  if (colon != std::string::npos) out.part = text.substr(colon + 1);
  const size_t at = out.plain.find('@');
  if (at != std::string::npos) out.revision = out.plain.substr(at + 1);
  out.plain.resize(std::min(at, out.plain.size()));
  return out;
}

}  // namespace dunnock
