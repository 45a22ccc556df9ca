#include "jinja/parser.h"

#include <algorithm>

#include "base/str.h"
#include "jinja/expressions.h"

namespace dunnock::jinja {
namespace {

using EKind = Expression::Kind;
using SKind = Statement::Kind;

class Parser : public ExpressionParser {
 public:
  using ExpressionParser::ExpressionParser;

  Result<Block> Template() {
    DUNNOCK_TRY(Block block, Statements({}));
    if (!Is(Token::Kind::kEnd)) return Unexpected("the end of the template");
    return block;
  }

 private:
  Status ExpectEnd() {
    if (!Is(Token::Kind::kBlockEnd)) return Unexpected("\"%}\"");
    Take();
    return {};
  }

  // Parses statements up to a tag whose word is one of `ends`. Takes its "{%" and leaves the word
  // to the caller.
  Result<Block> Statements(const std::vector<std::string_view>& ends) {
    const Deeper deeper(depth_);
    DUNNOCK_TRY_STATUS(CheckDepth());
    Block out;
    for (;;) {
      if (Is(Token::Kind::kEnd)) {
        if (ends.empty()) return out;
        return Unexpected(Str("\"{% ", ends.back(), " %}\""));
      }
      const Token token = Take();
      if (token.kind == Token::Kind::kText) {
        Statement s{.kind = SKind::kText, .at = token.at, .text = token.text};
        out.push_back(std::move(s));
      } else if (token.kind == Token::Kind::kPrintBegin) {
        Statement s{.kind = SKind::kPrint, .at = token.at};
        DUNNOCK_TRY(s.value, TupleOrOne());
        if (!Is(Token::Kind::kPrintEnd)) return Unexpected("\"}}\"");
        Take();
        out.push_back(std::move(s));
      } else {
        if (!Is(Token::Kind::kName)) return Unexpected("the name of a block");
        if (std::find(ends.begin(), ends.end(), Peek().text) != ends.end()) return out;
        DUNNOCK_TRY(Statement s, BlockStatement());
        out.push_back(std::move(s));
      }
    }
  }

  // Parses a body up to "{% end %}".
  Result<Block> Body(std::string_view end) {
    DUNNOCK_TRY(Block body, Statements({end}));
    Take();
    DUNNOCK_TRY_STATUS(ExpectEnd());
    return body;
  }

  // Parses a body that runs separately, such as a macro's: "break" in it cannot leave a loop around
  // it.
  Result<Block> OwnBody(std::string_view end) {
    const int loops = std::exchange(loops_, 0);
    auto body = Body(end);
    loops_ = loops;
    return body;
  }

  Result<Statement> BlockStatement() {
    const Token word = Take();
    Statement s{.kind = SKind::kScope, .at = word.at};
    if (word.text == "if") return If(std::move(s));
    if (word.text == "for") return For(std::move(s));
    if (word.text == "set") return Set(std::move(s));
    if (word.text == "macro") return Macro(std::move(s));
    if (word.text == "call") return CallBlock(std::move(s));
    if (word.text == "with") return With(std::move(s));
    if (word.text == "break" || word.text == "continue") {
      if (loops_ == 0) return FailAt(word.at, Str("\"", word.text, "\" outside of a loop"));
      s.kind = word.text == "break" ? SKind::kBreak : SKind::kContinue;
      DUNNOCK_TRY_STATUS(ExpectEnd());
      return s;
    }
    if (word.text == "generation") {
      DUNNOCK_TRY_STATUS(ExpectEnd());
      DUNNOCK_TRY(s.body, OwnBody("endgeneration"));
      return s;
    }
    if (word.text == "filter") {
      s.kind = SKind::kFilterBlock;
      DUNNOCK_TRY(s.value, Filters(Placeholder(), true));
      DUNNOCK_TRY_STATUS(ExpectEnd());
      DUNNOCK_TRY(s.body, Body("endfilter"));
      return s;
    }
    for (const char* known :
         {"include", "import", "from", "extends", "block", "autoescape", "trans", "do", "print"}) {
      if (word.text == known)
        return FailAt(word.at, Str("{% ", word.text, " %} is not supported in chat templates"));
    }
    return FailAt(word.at, Str("\"", word.text, "\" is not a block that is known here"));
  }

  Result<Statement> If(Statement s) {
    s.kind = SKind::kIf;
    DUNNOCK_TRY(ExpressionPtr condition, TupleOrOne(/*conditional=*/false));
    DUNNOCK_TRY_STATUS(ExpectEnd());
    for (;;) {
      DUNNOCK_TRY(Block body, Statements({"elif", "else", "endif"}));
      s.branches.emplace_back(std::move(condition), std::move(body));
      condition = nullptr;
      const bool more = IsWord("elif"), last = IsWord("else");
      Take();
      if (more) {
        DUNNOCK_TRY(condition, TupleOrOne(/*conditional=*/false));
      }
      DUNNOCK_TRY_STATUS(ExpectEnd());
      if (last) {
        DUNNOCK_TRY(Block otherwise, Body("endif"));
        s.branches.emplace_back(nullptr, std::move(otherwise));
      }
      if (!more) return s;
    }
  }

  Result<std::string> NameToAssign() {
    const Position at = Peek().at;
    DUNNOCK_TRY(std::string name, Name());
    for (const char* constant : {"true", "false", "none", "True", "False", "None"}) {
      if (name == constant) return FailAt(at, Str("\"", name, "\" cannot be assigned to"));
    }
    return name;
  }

  Result<Target> OneTarget(bool attributes) {
    const Deeper deeper(depth_);
    DUNNOCK_TRY_STATUS(CheckDepth());
    Target target;
    if (Accept("(")) {
      DUNNOCK_TRY(target, Targets(attributes));
      DUNNOCK_TRY_STATUS(Expect(")"));
      return target;
    }
    DUNNOCK_TRY(target.name, NameToAssign());
    if (attributes && Accept(".")) {
      DUNNOCK_TRY(target.attribute, Name());
    }
    return target;
  }

  Result<Target> Targets(bool attributes) {
    DUNNOCK_TRY(Target first, OneTarget(attributes));
    if (!IsOperator(",")) return first;
    Target all;
    all.parts.push_back(std::move(first));
    while (Accept(",")) {
      if (!IsOperator("(") && (!Is(Token::Kind::kName) || IsWord("in"))) break;
      DUNNOCK_TRY(Target next, OneTarget(attributes));
      all.parts.push_back(std::move(next));
    }
    return all;
  }

  Result<Statement> For(Statement s) {
    s.kind = SKind::kFor;
    DUNNOCK_TRY(s.target, Targets(/*attributes=*/false));
    DUNNOCK_TRY_STATUS(Expect("in"));
    DUNNOCK_TRY(s.value, TupleOrOne(/*conditional=*/false, "recursive"));
    if (Accept("if")) {
      DUNNOCK_TRY(s.condition, Any());
    }
    s.recursive = Accept("recursive");
    DUNNOCK_TRY_STATUS(ExpectEnd());
    ++loops_;
    DUNNOCK_TRY(s.body, Statements({"else", "endfor"}));
    --loops_;
    const bool has_else = Take().text == "else";
    DUNNOCK_TRY_STATUS(ExpectEnd());
    if (has_else) {
      DUNNOCK_TRY(s.otherwise, Body("endfor"));
    }
    return s;
  }

  Result<Statement> Set(Statement s) {
    DUNNOCK_TRY(s.target, Targets(/*attributes=*/true));
    if (Accept("=")) {
      s.kind = SKind::kSet;
      DUNNOCK_TRY(s.value, TupleOrOne());
      DUNNOCK_TRY_STATUS(ExpectEnd());
      return s;
    }
    s.kind = SKind::kSetBlock;
    if (IsOperator("|")) {
      DUNNOCK_TRY(s.value, Filters(Placeholder(), false));
    }
    DUNNOCK_TRY_STATUS(ExpectEnd());
    DUNNOCK_TRY(s.body, Body("endset"));
    return s;
  }

  Result<Statement> With(Statement s) {
    s.kind = SKind::kWith;
    while (!Is(Token::Kind::kBlockEnd)) {
      DUNNOCK_TRY(std::string name, NameToAssign());
      DUNNOCK_TRY_STATUS(Expect("="));
      DUNNOCK_TRY(ExpressionPtr value, Any());
      s.parameters.emplace_back(std::move(name), std::move(value));
      if (!Is(Token::Kind::kBlockEnd)) DUNNOCK_TRY_STATUS(Expect(","));
    }
    DUNNOCK_TRY_STATUS(ExpectEnd());
    DUNNOCK_TRY(s.body, Body("endwith"));
    return s;
  }

  Status Parameters(Statement* s) {
    DUNNOCK_TRY_STATUS(Expect("("));
    while (!IsOperator(")")) {
      const Position at = Peek().at;
      DUNNOCK_TRY(std::string name, NameToAssign());
      ExpressionPtr value;
      if (Accept("=")) {
        DUNNOCK_TRY(value, Any());
      } else if (!s->parameters.empty() && s->parameters.back().second != nullptr) {
        return FailAt(at, "a parameter without a default behind one with a default");
      }
      s->parameters.emplace_back(std::move(name), std::move(value));
      if (!Accept(",")) break;
    }
    return Expect(")");
  }

  Status MacroBody(Statement* s, std::string_view end) {
    const size_t callers = callers_, varargs = varargs_, kwargs = kwargs_;
    DUNNOCK_TRY(s->body, OwnBody(end));
    s->wants_caller = callers_ != callers;
    s->wants_varargs = varargs_ != varargs;
    s->wants_kwargs = kwargs_ != kwargs;
    return {};
  }

  Result<Statement> Macro(Statement s) {
    s.kind = SKind::kMacro;
    DUNNOCK_TRY(s.text, NameToAssign());
    DUNNOCK_TRY_STATUS(Parameters(&s));
    DUNNOCK_TRY_STATUS(ExpectEnd());
    DUNNOCK_TRY_STATUS(MacroBody(&s, "endmacro"));
    return s;
  }

  Result<Statement> CallBlock(Statement s) {
    s.kind = SKind::kCallBlock;
    s.text = "caller";
    if (IsOperator("(")) DUNNOCK_TRY_STATUS(Parameters(&s));
    DUNNOCK_TRY(s.value, Any());
    if (s.value->kind != EKind::kCall)
      return FailAt(s.at, "{% call %} expects the call of a macro");
    DUNNOCK_TRY_STATUS(ExpectEnd());
    DUNNOCK_TRY_STATUS(MacroBody(&s, "endcall"));
    return s;
  }

  // The name that stands for the text of the body in its filters.
  ExpressionPtr Placeholder() const { return Make(EKind::kName, Peek().at, "\x01"); }

  int loops_ = 0;
};

}  // namespace

Result<Block> ParseTemplate(const std::string& source) {
  DUNNOCK_TRY(std::vector<Token> tokens, Tokenize(source));
  return Parser(std::move(tokens)).Template();
}

}  // namespace dunnock::jinja
