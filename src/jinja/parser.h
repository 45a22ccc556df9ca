#pragma once
// The parser of the template language. Statements, expressions and white space follow jinja2 with
// trim_blocks and lstrip_blocks on (docs/formats/chat-template.md).

#include <string>

#include "base/result.h"
#include "jinja/tree.h"

namespace dunnock::jinja {

// `source` is valid UTF-8. kInvalid, with line and column, for a syntax error.
Result<Block> ParseTemplate(const std::string& source);

}  // namespace dunnock::jinja
