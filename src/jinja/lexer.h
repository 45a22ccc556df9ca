#pragma once
// Source to tokens: text between tags with white space already trimmed, and the tags' words.

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
  std::string text;  // of a string: its value
  Position at;
};

Result<std::vector<Token>> Tokenize(const std::string& source);

}  // namespace dunnock::jinja
