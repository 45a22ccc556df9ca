#pragma once
// Python's two ways to put values into a text: "%s is %d" % values and "{} is {:>4}".format(...).
// What is put in keeps its trust.

#include "jinja/builtins/builtins.h"

namespace dunnock::jinja {

Result<Value> FormatPercent(Limits& limits, const Text& format, const Value& values);
Result<Value> FormatBraces(Limits& limits, const Text& format, const Arguments& arguments);

}  // namespace dunnock::jinja
