#pragma once
// Runs a template's tree over variables. Names live in frames; a macro keeps the frame it was made
// in.

#include "base/json.h"
#include "jinja/builtins/builtins.h"
#include "jinja/tree.h"

namespace dunnock::jinja {

Result<Text> Interpret(const Block& block, const OrderedJson& variables, Limits& limits);

}  // namespace dunnock::jinja
