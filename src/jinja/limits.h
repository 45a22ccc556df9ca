#pragma once
// What a rendering may take: a template from outside could run or grow without end.

#include <cstdint>
#include <optional>

#include "jinja/value.h"

namespace dunnock::jinja {

// Work and memory that a rendering may take. Whatever goes through many elements charges them.
struct Limits {
  size_t max_steps, max_bytes;
  std::optional<int64_t> now_unix;
  size_t steps = 0;

  Status Charge(size_t amount);
  Status CheckSize(const Text& text);      // of a text just made
  Result<Text> Print(const Value& value);  // value.Printed(), charged
};

}  // namespace dunnock::jinja
