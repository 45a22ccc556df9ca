#pragma once
// The template language's grammar: source to a tree. Blocks, expressions and white space are as
// jinja2 has them with trim_blocks and lstrip_blocks on (docs/formats/chat-template.md).

#include <string>

#include "base/result.h"
#include "jinja/tree.h"

namespace dunnock::jinja {

Result<Block> ParseTemplate(const std::string& source);

}  // namespace dunnock::jinja
