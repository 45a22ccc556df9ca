#pragma once
// The operators + - * / // % ** ~, comparisons and slices, with Python's semantics.

#include <string>

#include "jinja/builtins/builtins.h"

namespace dunnock::jinja {

Result<Value> Binary(Limits& limits, const std::string& op, const Value& a, const Value& b);
Result<Value> Unary(const std::string& op, const Value& v);
Result<bool> Holds(Limits& limits, const Value& a, const std::string& op, const Value& b);
// object[begin:end:step]; `parts` are these three, nullptr for one that is left out.
Result<Value> Slice(Limits& limits, const Value& object, const Value* const (&parts)[3]);

}  // namespace dunnock::jinja
