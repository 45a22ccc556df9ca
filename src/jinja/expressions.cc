#include "jinja/expressions.h"

#include <algorithm>
#include <charconv>
#include <cstdlib>

#include "base/str.h"

namespace dunnock::jinja {
namespace {

using EKind = Expression::Kind;

// Deep enough for any real template, shallow enough for the stack.
constexpr int kMostDepth = 150;   // of brackets, and links in a chain
constexpr int kMostHeight = 300;  // of the whole tree, which is walked by recursion

}  // namespace

// ---- tokens ----

bool ExpressionParser::Accept(std::string_view text) {
  if (!IsOperator(text) && !IsWord(text)) return false;
  Take();
  return true;
}

std::unexpected<Error> ExpressionParser::Unexpected(const std::string& wanted) const {
  const Token& t = Peek();
  std::string found = "\"" + t.text + "\"";
  if (t.kind == Token::Kind::kEnd) found = "the end of the template";
  if (t.kind == Token::Kind::kPrintEnd) found = "\"}}\"";
  if (t.kind == Token::Kind::kBlockEnd) found = "\"%}\"";
  if (t.kind == Token::Kind::kText) found = "text";
  return FailAt(t.at, Str("expected ", wanted, ", found ", found));
}

Status ExpressionParser::Expect(std::string_view text) {
  if (Accept(text)) return {};
  return Unexpected(Str("\"", text, "\""));
}

Result<std::string> ExpressionParser::Name() {
  if (!Is(Token::Kind::kName)) return Unexpected("a name");
  return Take().text;
}

// Chains inside brackets inside chains multiply, so the height of the resulting tree is limited
// too.
Status ExpressionParser::CheckHeight(const Expression& e) const {
  if (e.height <= kMostHeight) return {};
  return FailAt(Peek().at, Str("an expression of more than ", kMostHeight, " levels"));
}

Status ExpressionParser::CheckDepth() const {
  if (depth_ > kMostDepth)
    return FailAt(Peek().at, Str("nested more than ", kMostDepth, " levels deep"));
  return {};
}

ExpressionPtr ExpressionParser::Make(EKind kind, Position at, std::string text) const {
  auto e = std::make_unique<Expression>();
  e->kind = kind;
  e->at = at;
  e->text = std::move(text);
  return e;
}

// ---- operators, loosest first ----

Result<ExpressionPtr> ExpressionParser::TupleOrOne(bool conditional, std::string_view end_word) {
  const Position at = Peek().at;
  DUNNOCK_TRY(ExpressionPtr first, Any(conditional));
  if (!IsOperator(",")) return first;
  ExpressionPtr tuple = Make(EKind::kTuple, at);
  tuple->Add(std::move(first));
  while (Accept(",")) {
    if (Is(Token::Kind::kBlockEnd) || Is(Token::Kind::kPrintEnd) || IsOperator(")") ||
        (!end_word.empty() && IsWord(end_word)))
      break;
    DUNNOCK_TRY(ExpressionPtr item, Any(conditional));
    tuple->Add(std::move(item));
  }
  return tuple;
}

Result<ExpressionPtr> ExpressionParser::Any(bool conditional) {
  const Deeper deeper(depth_);
  DUNNOCK_TRY_STATUS(CheckDepth());
  DUNNOCK_TRY(ExpressionPtr value, Or());
  while (conditional && IsWord("if")) {
    ExpressionPtr e = Make(EKind::kIfElse, Take().at);
    DUNNOCK_TRY(ExpressionPtr condition, Or());
    ExpressionPtr otherwise;
    if (Accept("else")) {
      DUNNOCK_TRY(otherwise, Any());
    }
    e->Add(std::move(value));
    e->Add(std::move(condition));
    e->Add(std::move(otherwise));
    value = std::move(e);
    DUNNOCK_TRY_STATUS(CheckHeight(*value));
  }
  DUNNOCK_TRY_STATUS(CheckHeight(*value));
  return value;
}

Result<ExpressionPtr> ExpressionParser::LeftChain(
    std::initializer_list<std::string_view> operators,
    Result<ExpressionPtr> (ExpressionParser::*next)()) {
  DUNNOCK_TRY(ExpressionPtr left, (this->*next)());
  for (int links = 0;; ++links) {
    const auto* found = std::find_if(operators.begin(), operators.end(), [&](std::string_view o) {
      return IsOperator(o) || IsWord(o);
    });
    if (found == operators.end()) return left;
    // The tree of a + b + c ... grows to the left, and it is walked by recursion.
    if (links > kMostDepth)
      return FailAt(Peek().at, Str("more than ", kMostDepth, " operators in a row"));
    ExpressionPtr e = Make(EKind::kBinary, Take().at, std::string(*found));
    DUNNOCK_TRY(ExpressionPtr right, (this->*next)());
    e->Add(std::move(left));
    e->Add(std::move(right));
    left = std::move(e);
    DUNNOCK_TRY_STATUS(CheckHeight(*left));
  }
}

Result<ExpressionPtr> ExpressionParser::Or() { return LeftChain({"or"}, &ExpressionParser::And); }
Result<ExpressionPtr> ExpressionParser::And() { return LeftChain({"and"}, &ExpressionParser::Not); }

Result<ExpressionPtr> ExpressionParser::Not() {
  if (!IsWord("not")) return Comparison();
  const Deeper deeper(depth_);
  DUNNOCK_TRY_STATUS(CheckDepth());
  ExpressionPtr e = Make(EKind::kUnary, Take().at, "not");
  DUNNOCK_TRY(ExpressionPtr operand, Not());
  e->Add(std::move(operand));
  return e;
}

Result<ExpressionPtr> ExpressionParser::Comparison() {
  const Position at = Peek().at;
  DUNNOCK_TRY(ExpressionPtr first, Sum());
  ExpressionPtr e;
  for (;;) {
    std::string op;
    for (const char* o : {"==", "!=", "<=", ">=", "<", ">"}) {
      if (IsOperator(o)) op = o;
    }
    if (IsWord("in")) op = "in";
    if (IsWord("not") && PeekBehind().kind == Token::Kind::kName && PeekBehind().text == "in")
      op = "not in";
    if (op.empty()) return e ? std::move(e) : std::move(first);
    Take();
    if (op == "not in") Take();
    if (!e) {
      e = Make(EKind::kCompare, at);
      e->Add(std::move(first));
    }
    DUNNOCK_TRY(ExpressionPtr right, Sum());
    e->operators.push_back(op);
    e->Add(std::move(right));
  }
}

Result<ExpressionPtr> ExpressionParser::Sum() {
  return LeftChain({"+", "-"}, &ExpressionParser::Concatenation);
}
Result<ExpressionPtr> ExpressionParser::Concatenation() {
  return LeftChain({"~"}, &ExpressionParser::Product);
}
Result<ExpressionPtr> ExpressionParser::Product() {
  return LeftChain({"*", "/", "//", "%"}, &ExpressionParser::Power);
}
Result<ExpressionPtr> ExpressionParser::Power() {
  DUNNOCK_TRY(ExpressionPtr left, Unary());
  for (int links = 0; IsOperator("**"); ++links) {
    if (links > kMostDepth)
      return FailAt(Peek().at, Str("more than ", kMostDepth, " operators in a row"));
    ExpressionPtr e = Make(EKind::kBinary, Take().at, "**");
    DUNNOCK_TRY(ExpressionPtr right, Unary());
    e->Add(std::move(left));
    e->Add(std::move(right));
    left = std::move(e);
    DUNNOCK_TRY_STATUS(CheckHeight(*left));
  }
  return left;
}

Result<ExpressionPtr> ExpressionParser::Unary(bool with_filters) {
  const Deeper deeper(depth_);
  DUNNOCK_TRY_STATUS(CheckDepth());
  ExpressionPtr e;
  if (IsOperator("-") || IsOperator("+")) {
    const Token sign = Take();
    e = Make(EKind::kUnary, sign.at, sign.text);
    DUNNOCK_TRY(ExpressionPtr operand, Unary(false));
    e->Add(std::move(operand));
  } else {
    DUNNOCK_TRY(e, Primary());
  }
  DUNNOCK_TRY(e, Postfix(std::move(e)));
  if (with_filters) return FiltersAndTests(std::move(e));
  return e;
}

// ---- values ----

Result<ExpressionPtr> ExpressionParser::Primary() {
  const Token t = Peek();
  switch (t.kind) {
    case Token::Kind::kName: {
      Take();
      ExpressionPtr e = Make(EKind::kLiteral, t.at);
      if (t.text == "true" || t.text == "True") {
        e->value = true;
      } else if (t.text == "false" || t.text == "False") {
        e->value = false;
      } else if (t.text == "none" || t.text == "None") {
        e->value = None{};
      } else {
        callers_ += t.text == "caller" ? 1 : 0;
        varargs_ += t.text == "varargs" ? 1 : 0;
        kwargs_ += t.text == "kwargs" ? 1 : 0;
        e = Make(EKind::kName, t.at, t.text);
      }
      return e;
    }
    case Token::Kind::kString: {
      std::string text;
      while (Is(Token::Kind::kString)) text += Take().text;  // neighbours are one string
      ExpressionPtr e = Make(EKind::kLiteral, t.at);
      e->value = Value::Trusted(std::move(text));
      return e;
    }
    case Token::Kind::kInt: {
      Take();
      int base = 10;
      std::string digits = t.text;
      if (digits.size() > 2 && digits[0] == '0' && digits[1] > '9') {
        base = digits[1] == 'x' || digits[1] == 'X'   ? 16
               : digits[1] == 'o' || digits[1] == 'O' ? 8
                                                      : 2;
        digits.erase(0, 2);
      }
      int64_t value = 0;
      const auto [end, error] =
          std::from_chars(digits.data(), digits.data() + digits.size(), value, base);
      if (error != std::errc() || end != digits.data() + digits.size())
        return FailAt(t.at, Str("the number ", t.text.substr(0, 30), " is too large"));
      ExpressionPtr e = Make(EKind::kLiteral, t.at);
      e->value = value;
      return e;
    }
    case Token::Kind::kFloat: {
      Take();
      ExpressionPtr e = Make(EKind::kLiteral, t.at);
      e->value = std::strtod(t.text.c_str(), nullptr);
      return e;
    }
    default:
      break;
  }
  if (Accept("(")) {
    if (Accept(")")) return Make(EKind::kTuple, t.at);
    DUNNOCK_TRY(ExpressionPtr e, TupleOrOne());
    DUNNOCK_TRY_STATUS(Expect(")"));
    return e;
  }
  if (Accept("[")) {
    ExpressionPtr e = Make(EKind::kList, t.at);
    while (!IsOperator("]")) {
      DUNNOCK_TRY(ExpressionPtr item, Any());
      e->Add(std::move(item));
      if (!Accept(",")) break;
    }
    DUNNOCK_TRY_STATUS(Expect("]"));
    return e;
  }
  if (Accept("{")) {
    ExpressionPtr e = Make(EKind::kDict, t.at);
    while (!IsOperator("}")) {
      DUNNOCK_TRY(ExpressionPtr key, Any());
      DUNNOCK_TRY_STATUS(Expect(":"));
      DUNNOCK_TRY(ExpressionPtr value, Any());
      e->Add(std::move(key));
      e->Add(std::move(value));
      if (!Accept(",")) break;
    }
    DUNNOCK_TRY_STATUS(Expect("}"));
    return e;
  }
  return Unexpected("a value");
}

Result<ExpressionPtr> ExpressionParser::Postfix(ExpressionPtr e) {
  for (int links = 0;; ++links) {
    if (links > kMostDepth)
      return FailAt(Peek().at, Str("more than ", kMostDepth, " calls and attributes in a row"));
    DUNNOCK_TRY_STATUS(CheckHeight(*e));
    const Position at = Peek().at;
    if (Accept(".")) {
      if (Is(Token::Kind::kInt)) {
        ExpressionPtr item = Make(EKind::kItem, at);
        DUNNOCK_TRY(ExpressionPtr index, Primary());
        item->Add(std::move(e));
        item->Add(std::move(index));
        e = std::move(item);
        continue;
      }
      ExpressionPtr attribute = Make(EKind::kAttribute, at);
      DUNNOCK_TRY(attribute->text, Name());
      attribute->Add(std::move(e));
      e = std::move(attribute);
    } else if (IsOperator("[")) {
      DUNNOCK_TRY(e, Subscript(std::move(e)));
    } else if (IsOperator("(")) {
      DUNNOCK_TRY(e, CallOf(std::move(e)));
    } else {
      return e;
    }
  }
}

Result<ExpressionPtr> ExpressionParser::Subscript(ExpressionPtr base) {
  const Position at = Take().at;
  ExpressionPtr parts[3];
  bool slice = false;
  if (!IsOperator(":")) {
    DUNNOCK_TRY(parts[0], Any());
  }
  for (size_t i = 1; i < 3 && Accept(":"); ++i) {
    slice = true;
    if (!IsOperator(":") && !IsOperator("]")) {
      DUNNOCK_TRY(parts[i], Any());
    }
  }
  if (!slice && IsOperator(",")) {
    ExpressionPtr tuple = Make(EKind::kTuple, at);
    tuple->Add(std::move(parts[0]));
    while (Accept(",")) {
      DUNNOCK_TRY(ExpressionPtr item, Any());
      tuple->Add(std::move(item));
    }
    parts[0] = std::move(tuple);
  }
  DUNNOCK_TRY_STATUS(Expect("]"));
  ExpressionPtr e = Make(slice ? EKind::kSlice : EKind::kItem, at);
  e->Add(std::move(base));
  for (size_t i = 0; i < (slice ? 3u : 1u); ++i) e->Add(std::move(parts[i]));
  return e;
}

Result<ExpressionPtr> ExpressionParser::CallOf(ExpressionPtr callee) {
  ExpressionPtr call = Make(EKind::kCall, Peek().at);
  call->Add(std::move(callee));
  DUNNOCK_TRY_STATUS(CallArguments(call.get()));
  return call;
}

Status ExpressionParser::CallArguments(Expression* call) {
  DUNNOCK_TRY_STATUS(Expect("("));
  while (!IsOperator(")")) {
    const Position at = Peek().at;
    if (Accept("**")) {
      if (call->more_named != nullptr) return FailAt(at, "a second \"**\" in a call");
      DUNNOCK_TRY(call->more_named, Any());
      call->Raise(*call->more_named);
    } else if (Accept("*")) {
      if (call->more != nullptr || call->more_named != nullptr)
        return FailAt(at, "a second \"*\" in a call, or one behind \"**\"");
      DUNNOCK_TRY(call->more, Any());
      call->Raise(*call->more);
    } else if (Is(Token::Kind::kName) && PeekBehind().kind == Token::Kind::kOperator &&
               PeekBehind().text == "=") {
      if (call->more_named != nullptr) return FailAt(at, "a named argument behind \"**\"");
      std::string name = Take().text;
      Take();
      DUNNOCK_TRY(ExpressionPtr value, Any());
      call->Raise(*value);
      call->named.emplace_back(std::move(name), std::move(value));
    } else {
      if (!call->named.empty() || call->more != nullptr || call->more_named != nullptr)
        return FailAt(at, "an argument without a name behind one with a name");
      DUNNOCK_TRY(ExpressionPtr value, Any());
      call->Add(std::move(value));
    }
    if (!Accept(",")) break;
  }
  return Expect(")");
}

// ---- filters and tests ----

Result<std::string> ExpressionParser::DottedName() {
  DUNNOCK_TRY(std::string name, Name());
  while (Accept(".")) {
    DUNNOCK_TRY(const std::string part, Name());
    name += "." + part;
  }
  return name;
}

Result<ExpressionPtr> ExpressionParser::Filters(ExpressionPtr e, bool first) {
  for (int links = 0; first || IsOperator("|"); ++links) {
    if (links > kMostDepth)
      return FailAt(Peek().at, Str("more than ", kMostDepth, " filters in a row"));
    DUNNOCK_TRY_STATUS(CheckHeight(*e));
    if (!first) Take();
    first = false;
    ExpressionPtr filter = Make(EKind::kFilter, Peek().at);
    DUNNOCK_TRY(filter->text, DottedName());
    filter->Add(std::move(e));
    if (IsOperator("(")) DUNNOCK_TRY_STATUS(CallArguments(filter.get()));
    e = std::move(filter);
  }
  return e;
}

Result<ExpressionPtr> ExpressionParser::FiltersAndTests(ExpressionPtr e) {
  for (int links = 0;; ++links) {
    if (links > kMostDepth)
      return FailAt(Peek().at, Str("more than ", kMostDepth, " filters and tests in a row"));
    DUNNOCK_TRY_STATUS(CheckHeight(*e));
    if (IsOperator("|")) {
      DUNNOCK_TRY(e, Filters(std::move(e), false));
    } else if (IsWord("is")) {
      DUNNOCK_TRY(e, Test(std::move(e)));
    } else if (IsOperator("(")) {
      DUNNOCK_TRY(e, CallOf(std::move(e)));
    } else {
      return e;
    }
  }
}

Result<ExpressionPtr> ExpressionParser::Test(ExpressionPtr e) {
  const Position at = Take().at;
  const bool negated = Accept("not");
  ExpressionPtr test = Make(EKind::kTest, at);
  DUNNOCK_TRY(test->text, DottedName());
  test->Add(std::move(e));
  if (IsOperator("(")) {
    DUNNOCK_TRY_STATUS(CallArguments(test.get()));
  } else if ((Is(Token::Kind::kName) && !IsWord("else") && !IsWord("or") && !IsWord("and")) ||
             Is(Token::Kind::kString) || Is(Token::Kind::kInt) || Is(Token::Kind::kFloat) ||
             IsOperator("[") || IsOperator("{")) {
    if (IsWord("is")) return FailAt(Peek().at, "a second \"is\" behind a test");
    DUNNOCK_TRY(ExpressionPtr argument, Primary());
    DUNNOCK_TRY(argument, Postfix(std::move(argument)));
    test->Add(std::move(argument));
  }
  if (!negated) return test;
  ExpressionPtr no = Make(EKind::kUnary, at, "not");
  no->Add(std::move(test));
  return no;
}

}  // namespace dunnock::jinja
