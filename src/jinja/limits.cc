#include "jinja/limits.h"

#include "base/str.h"

namespace dunnock::jinja {

Status Limits::Charge(size_t amount) {
  steps += amount;
  if (steps > max_steps)
    return Fail(ErrorCode::kLimit, Str("the chat template takes more than ", max_steps, " steps"));
  return {};
}

Status Limits::CheckSize(const Text& text) {
  if (text.size() > max_bytes)
    return Fail(ErrorCode::kLimit, Str("a text of more than ", max_bytes, " bytes"));
  return Charge(1 + text.size() / 64);
}

Result<Text> Limits::Print(const Value& value) {
  DUNNOCK_TRY_STATUS(Charge(value.weight()));
  return value.Printed();
}

}  // namespace dunnock::jinja
