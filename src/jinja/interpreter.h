#pragma once
// The interpreter of the template language.

#include "base/json.h"
#include "jinja/builtins/builtins.h"
#include "jinja/tree.h"

namespace dunnock::jinja {

// Runs a template's tree with the given variables (an object). The result knows which of its bytes
// the template wrote. Errors, with line and column: kInvalid for an error in the template,
// kUnsupported for what is not implemented, kLimit beyond `limits`.
Result<Text> Interpret(const Block& block, const OrderedJson& variables, Limits& limits);

}  // namespace dunnock::jinja
