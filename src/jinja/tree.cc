#include "jinja/tree.h"

#include "base/str.h"

namespace dunnock::jinja {

std::unexpected<Error> FailAt(Position at, const std::string& message) {
  return Invalid(Str("chat template, line ", at.line, ", column ", at.column, ": ", message));
}

}  // namespace dunnock::jinja
