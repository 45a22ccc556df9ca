#pragma once
// Splits a template's source into tokens: the text between tags, with white space already trimmed
// as trim_blocks, lstrip_blocks and "-" ask for, and the words of the tags.

#include <string>
#include <vector>

#include "base/result.h"
#include "jinja/tree.h"

namespace dunnock::jinja {

struct Token {
  enum class Kind {
    kText,
    kPrintBegin,
    kPrintEnd,
    kBlockBegin,
    kBlockEnd,
    kName,
    kString,
    kInt,
    kFloat,
    kOperator,
    kEnd
  } kind;
  std::string text;  // for kString the value, without quotes and escapes
  Position at;
};

Result<std::vector<Token>> Tokenize(const std::string& source);

}  // namespace dunnock::jinja
