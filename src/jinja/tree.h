#pragma once
// The syntax tree of a template, which the parser makes and the interpreter walks.

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "jinja/value.h"

namespace dunnock::jinja {

struct Position {
  uint32_t line = 1, column = 1;
};

struct Expression;
using ExpressionPtr = std::unique_ptr<Expression>;
using Named = std::pair<std::string, ExpressionPtr>;

struct Expression {
  enum class Kind {
    kLiteral,    // value
    kName,       // text
    kList,       // items
    kTuple,      // items
    kDict,       // items: key, value, key, value
    kAttribute,  // items[0].text
    kItem,       // items[0][items[1]]
    kSlice,      // items[0][items[1]:items[2]:items[3]], parts may be null
    kCall,       // items[0](items[1..], named, *more, **more_named)
    kFilter,     // items[0] | text(items[1..], named, ...)
    kTest,       // items[0] is text(items[1..], named, ...)
    kUnary,      // text items[0]: not - +
    kBinary,     // items[0] text items[1]: + - * / // % ** ~ and or
    kCompare,    // items[0] operators[0] items[1] operators[1] items[2] ...
    kIfElse,     // items[0] if items[1] else items[2] (may be null)
  } kind;
  Position at;
  std::string text;
  Value value;
  std::vector<ExpressionPtr> items;
  std::vector<Named> named;
  ExpressionPtr more, more_named;
  std::vector<std::string> operators;
  int height = 1;  // levels of the tree below and including this node

  void Raise(const Expression& child) { height = std::max(height, child.height + 1); }
  void Add(ExpressionPtr child) {
    if (child != nullptr) Raise(*child);
    items.push_back(std::move(child));
  }
};

// The target of an assignment: a name, a namespace's attribute, or several of them.
struct Target {
  std::string name, attribute;
  std::vector<Target> parts;  // if not empty: (a, (b, c))
};

struct Statement;
using Block = std::vector<Statement>;

struct Statement {
  enum class Kind {
    kText,       // text
    kPrint,      // value
    kIf,         // branches of (condition or null, body)
    kFor,        // target in value if condition: body, otherwise; recursive
    kSet,        // target = value
    kSetBlock,   // target = body, through filters in value (null: none)
    kMacro,      // text(parameters, defaults): body
    kCallBlock,  // call(parameters) value: body
    kFilterBlock,
    kWith,   // named values: body
    kScope,  // generation: body
    kBreak,
    kContinue,
  } kind;
  Position at;
  std::string text = {};
  ExpressionPtr value = {}, condition = {};
  Target target = {};
  std::vector<Named> parameters = {};  // default may be null
  Block body = {}, otherwise = {};
  std::vector<std::pair<ExpressionPtr, Block>> branches = {};
  bool recursive = false;
  // Macros: whether the body uses these names.
  bool wants_caller = false, wants_varargs = false, wants_kwargs = false;
};

// kInvalid with the message "chat template, line 3, column 7: ...".
std::unexpected<Error> FailAt(Position at, const std::string& message);

}  // namespace dunnock::jinja
