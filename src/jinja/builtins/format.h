#pragma once
// Python's two ways to format values: "%s is %d" % values and "{} is {:>4}".format(...). Values
// keep their trust in the resulting text.

#include "jinja/builtins/builtins.h"

namespace dunnock::jinja {

Result<Value> FormatPercent(Limits& limits, const Text& format, const Value& values);
Result<Value> FormatBraces(Limits& limits, const Text& format, const Arguments& arguments);

}  // namespace dunnock::jinja
