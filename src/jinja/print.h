#pragma once
// Values as text, as Python's repr() and json.dumps() give them.

#include <string>

#include "jinja/value.h"

namespace dunnock::jinja {

std::string FloatRepr(double value);
std::string Repr(const Value& value);

struct JsonStyle {
  std::string indent;
  bool lines = false;
  std::string item = ", ", key = ": ";
  bool sort_keys = false, ascii = false;
};
// kInvalid for a value that JSON cannot hold; kLimit for more than `most_bytes` bytes.
Result<std::string> ToJson(const Value& value, const JsonStyle& style, size_t most_bytes);

}  // namespace dunnock::jinja
