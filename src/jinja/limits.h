#pragma once
// Limits of a rendering: a template from an untrusted source could run or grow without end.

#include <cstdint>
#include <optional>

#include "jinja/value.h"

namespace dunnock::jinja {

// How much work and memory a rendering may take and has taken. Code that walks many elements
// charges one step per element.
struct Limits {
  size_t max_steps, max_bytes;
  std::optional<int64_t> now_unix;
  size_t steps = 0;

  Status Charge(size_t amount);
  Status CheckSize(const Text& text);      // kLimit if the text is larger than max_bytes
  Result<Text> Print(const Value& value);  // value.Printed(), with its work charged
};

}  // namespace dunnock::jinja
