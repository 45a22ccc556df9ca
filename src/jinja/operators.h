#pragma once
// + - * / // % ** ~, comparisons and slices, as Python has them.

#include <string>

#include "jinja/builtins/builtins.h"

namespace dunnock::jinja {

Result<Value> Binary(Limits& limits, const std::string& op, const Value& a, const Value& b);
Result<Value> Unary(const std::string& op, const Value& v);
Result<bool> Holds(Limits& limits, const Value& a, const std::string& op, const Value& b);
// parts: begin, end, step; nullptr where there is none.
Result<Value> Slice(Limits& limits, const Value& object, const Value* const (&parts)[3]);

}  // namespace dunnock::jinja
