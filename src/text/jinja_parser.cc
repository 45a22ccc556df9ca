#include "text/jinja_parser.h"

#include <algorithm>
#include <charconv>

#include "base/str.h"
#include "text/jinja_lexer.h"

namespace dunnock::jinja {
namespace {

using EKind = Expression::Kind;
using SKind = Statement::Kind;

// Deep enough for any real template, shallow enough for the stack.
constexpr int kMostDepth = 150;

class Parser {
 public:
  explicit Parser(std::vector<Token> tokens) : tokens_(std::move(tokens)) {}

  Result<Block> Template() {
    DUNNOCK_TRY(Block block, Statements({}));
    if (!Is(Token::Kind::kEnd)) return Unexpected("the end of the template");
    return block;
  }

 private:
  // ---- tokens ----
  const Token& Peek() const { return tokens_[at_]; }
  Token Take() { return tokens_[at_ + 1 < tokens_.size() ? at_++ : at_]; }
  bool Is(Token::Kind kind) const { return Peek().kind == kind; }
  bool IsOperator(std::string_view text) const {
    return Is(Token::Kind::kOperator) && Peek().text == text;
  }
  bool IsWord(std::string_view text) const { return Is(Token::Kind::kName) && Peek().text == text; }
  bool Accept(std::string_view text) {
    if (!IsOperator(text) && !IsWord(text)) return false;
    Take();
    return true;
  }
  std::unexpected<Error> Unexpected(const std::string& wanted) const {
    const Token& t = Peek();
    std::string found = "\"" + t.text + "\"";
    if (t.kind == Token::Kind::kEnd) found = "the end of the template";
    if (t.kind == Token::Kind::kPrintEnd) found = "\"}}\"";
    if (t.kind == Token::Kind::kBlockEnd) found = "\"%}\"";
    if (t.kind == Token::Kind::kText) found = "text";
    return FailAt(t.at, Str("expected ", wanted, ", found ", found));
  }
  Status Expect(std::string_view text) {
    if (Accept(text)) return {};
    return Unexpected(Str("\"", text, "\""));
  }
  Status ExpectEnd() {
    if (!Is(Token::Kind::kBlockEnd)) return Unexpected("\"%}\"");
    Take();
    return {};
  }
  Result<std::string> Name() {
    if (!Is(Token::Kind::kName)) return Unexpected("a name");
    return Take().text;
  }
  struct Deeper {
    explicit Deeper(int& depth) : depth(depth) { ++depth; }
    ~Deeper() { --depth; }
    int& depth;
  };
  Status CheckDepth() const {
    if (depth_ > kMostDepth)
      return FailAt(Peek().at, Str("nested more than ", kMostDepth, " levels deep"));
    return {};
  }

  // ---- statements ----
  // Until a block tag whose word is one of `ends`, which is left to the caller (its "{%" is taken).
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

  // A body up to "{% end %}".
  Result<Block> Body(std::string_view end) {
    DUNNOCK_TRY(Block body, Statements({end}));
    Take();
    DUNNOCK_TRY_STATUS(ExpectEnd());
    return body;
  }

  Result<Statement> BlockStatement() {
    const Token word = Take();
    Statement s{.kind = SKind::kScope, .at = word.at};
    if (word.text == "if") return If(std::move(s));
    if (word.text == "for") return For(std::move(s));
    if (word.text == "set") return Set(std::move(s));
    if (word.text == "macro" || word.text == "call")
      return Macro(std::move(s), word.text == "call");
    if (word.text == "break" || word.text == "continue") {
      s.kind = word.text == "break" ? SKind::kBreak : SKind::kContinue;
      DUNNOCK_TRY_STATUS(ExpectEnd());
      return s;
    }
    if (word.text == "generation") {
      DUNNOCK_TRY_STATUS(ExpectEnd());
      DUNNOCK_TRY(s.body, Body("endgeneration"));
      return s;
    }
    if (word.text == "filter") {
      s.kind = SKind::kFilterBlock;
      DUNNOCK_TRY(s.value, Filters(Placeholder(), true));
      DUNNOCK_TRY_STATUS(ExpectEnd());
      DUNNOCK_TRY(s.body, Body("endfilter"));
      return s;
    }
    if (word.text == "with") {
      s.kind = SKind::kWith;
      while (Is(Token::Kind::kName)) {
        DUNNOCK_TRY(std::string name, Name());
        DUNNOCK_TRY_STATUS(Expect("="));
        DUNNOCK_TRY(ExpressionPtr value, Any());
        s.parameters.emplace_back(std::move(name), std::move(value));
        if (!Accept(",")) break;
      }
      DUNNOCK_TRY_STATUS(ExpectEnd());
      DUNNOCK_TRY(s.body, Body("endwith"));
      return s;
    }
    for (const char* known :
         {"include", "import", "from", "extends", "block", "autoescape", "trans", "do"}) {
      if (word.text == known)
        return FailAt(word.at, Str("{% ", word.text, " %} is not supported in chat templates"));
    }
    return FailAt(word.at, Str("\"", word.text, "\" is not a block that is known here"));
  }

  Result<Statement> If(Statement s) {
    s.kind = SKind::kIf;
    DUNNOCK_TRY(ExpressionPtr condition, TupleOrOne());
    DUNNOCK_TRY_STATUS(ExpectEnd());
    for (;;) {
      DUNNOCK_TRY(Block body, Statements({"elif", "else", "endif"}));
      s.branches.emplace_back(std::move(condition), std::move(body));
      condition = nullptr;
      const std::string word = Take().text;
      if (word == "elif") {
        DUNNOCK_TRY(condition, TupleOrOne());
        DUNNOCK_TRY_STATUS(ExpectEnd());
      } else if (word == "else") {
        DUNNOCK_TRY_STATUS(ExpectEnd());
        DUNNOCK_TRY(Block last, Body("endif"));
        s.branches.emplace_back(nullptr, std::move(last));
        return s;
      } else {
        DUNNOCK_TRY_STATUS(ExpectEnd());
        return s;
      }
    }
  }

  Result<std::vector<std::string>> Targets() {
    std::vector<std::string> out;
    const bool bracket = Accept("(");
    do {
      if (!out.empty() && !Is(Token::Kind::kName)) break;
      DUNNOCK_TRY(std::string name, Name());
      if (Accept(".")) {
        DUNNOCK_TRY(const std::string attribute, Name());
        name += "." + attribute;
      }
      out.push_back(std::move(name));
    } while (Accept(","));
    if (bracket) DUNNOCK_TRY_STATUS(Expect(")"));
    return out;
  }

  Result<Statement> For(Statement s) {
    s.kind = SKind::kFor;
    DUNNOCK_TRY(s.targets, Targets());
    DUNNOCK_TRY_STATUS(Expect("in"));
    DUNNOCK_TRY(s.value, TupleOrOne(/*conditional=*/false));
    if (Accept("if")) {
      DUNNOCK_TRY(s.condition, Any());
    }
    s.recursive = Accept("recursive");
    DUNNOCK_TRY_STATUS(ExpectEnd());
    DUNNOCK_TRY(s.body, Statements({"else", "endfor"}));
    const bool has_else = Take().text == "else";
    DUNNOCK_TRY_STATUS(ExpectEnd());
    if (has_else) {
      DUNNOCK_TRY(s.otherwise, Body("endfor"));
    }
    return s;
  }

  Result<Statement> Set(Statement s) {
    DUNNOCK_TRY(s.targets, Targets());
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

  Result<Statement> Macro(Statement s, bool call) {
    s.kind = call ? SKind::kCallBlock : SKind::kMacro;
    if (!call) {
      DUNNOCK_TRY(s.text, Name());
    }
    if (!call || IsOperator("(")) {
      DUNNOCK_TRY_STATUS(Expect("("));
      while (!IsOperator(")")) {
        DUNNOCK_TRY(std::string name, Name());
        ExpressionPtr value;
        if (Accept("=")) {
          DUNNOCK_TRY(value, Any());
        }
        s.parameters.emplace_back(std::move(name), std::move(value));
        if (!Accept(",")) break;
      }
      DUNNOCK_TRY_STATUS(Expect(")"));
    }
    if (call) {
      DUNNOCK_TRY(s.value, Any());
      if (s.value->kind != EKind::kCall)
        return FailAt(s.at, "{% call %} expects the call of a macro");
    }
    DUNNOCK_TRY_STATUS(ExpectEnd());
    DUNNOCK_TRY(s.body, Body(call ? "endcall" : "endmacro"));
    return s;
  }

  // ---- expressions, loosest first ----
  ExpressionPtr Make(EKind kind, Position at, std::string text = "") const {
    auto e = std::make_unique<Expression>();
    e->kind = kind;
    e->at = at;
    e->text = std::move(text);
    return e;
  }
  // Stands for a block's own text in its filters.
  ExpressionPtr Placeholder() const { return Make(EKind::kName, Peek().at, "\x01"); }

  Result<ExpressionPtr> TupleOrOne(bool conditional = true) {
    const Position at = Peek().at;
    DUNNOCK_TRY(ExpressionPtr first, conditional ? Any() : Or());
    if (!IsOperator(",")) return first;
    ExpressionPtr tuple = Make(EKind::kTuple, at);
    tuple->items.push_back(std::move(first));
    while (Accept(",")) {
      if (Is(Token::Kind::kBlockEnd) || Is(Token::Kind::kPrintEnd) || IsOperator(")")) break;
      DUNNOCK_TRY(ExpressionPtr item, conditional ? Any() : Or());
      tuple->items.push_back(std::move(item));
    }
    return tuple;
  }

  Result<ExpressionPtr> Any() {
    const Deeper deeper(depth_);
    DUNNOCK_TRY_STATUS(CheckDepth());
    DUNNOCK_TRY(ExpressionPtr value, Or());
    while (IsWord("if")) {
      ExpressionPtr e = Make(EKind::kIfElse, Take().at);
      DUNNOCK_TRY(ExpressionPtr condition, Or());
      ExpressionPtr otherwise;
      if (Accept("else")) {
        DUNNOCK_TRY(otherwise, Any());
      }
      e->items.push_back(std::move(value));
      e->items.push_back(std::move(condition));
      e->items.push_back(std::move(otherwise));
      value = std::move(e);
    }
    return value;
  }

  Result<ExpressionPtr> Or() {
    return LeftChain({"or"}, [this] { return LeftChain({"and"}, [this] { return Not(); }); });
  }

  template <typename Next>
  Result<ExpressionPtr> LeftChain(std::initializer_list<std::string_view> operators,
                                  const Next& next) {
    DUNNOCK_TRY(ExpressionPtr left, next());
    for (;;) {
      const auto* found = std::find_if(operators.begin(), operators.end(), [&](std::string_view o) {
        return IsOperator(o) || IsWord(o);
      });
      if (found == operators.end()) return left;
      ExpressionPtr e = Make(EKind::kBinary, Take().at, std::string(*found));
      DUNNOCK_TRY(ExpressionPtr right, next());
      e->items.push_back(std::move(left));
      e->items.push_back(std::move(right));
      left = std::move(e);
    }
  }

  Result<ExpressionPtr> Not() {
    if (!IsWord("not")) return Comparison();
    const Deeper deeper(depth_);
    DUNNOCK_TRY_STATUS(CheckDepth());
    ExpressionPtr e = Make(EKind::kUnary, Take().at, "not");
    DUNNOCK_TRY(ExpressionPtr operand, Not());
    e->items.push_back(std::move(operand));
    return e;
  }

  Result<ExpressionPtr> Comparison() {
    const Position at = Peek().at;
    DUNNOCK_TRY(ExpressionPtr first, Sum());
    ExpressionPtr e;
    for (;;) {
      std::string op;
      for (const char* o : {"==", "!=", "<=", ">=", "<", ">"}) {
        if (IsOperator(o)) op = o;
      }
      if (IsWord("in")) op = "in";
      if (IsWord("not") && tokens_[at_ + 1].kind == Token::Kind::kName &&
          tokens_[at_ + 1].text == "in")
        op = "not in";
      if (op.empty()) return e ? std::move(e) : std::move(first);
      Take();
      if (op == "not in") Take();
      if (!e) {
        e = Make(EKind::kCompare, at);
        e->items.push_back(std::move(first));
      }
      DUNNOCK_TRY(ExpressionPtr right, Sum());
      e->operators.push_back(op);
      e->items.push_back(std::move(right));
    }
  }

  Result<ExpressionPtr> Sum() {
    return LeftChain({"+", "-"}, [this] {
      return LeftChain({"~"}, [this] {
        return LeftChain({"*", "/", "//", "%"},
                         [this] { return LeftChain({"**"}, [this] { return Unary(true); }); });
      });
    });
  }

  Result<ExpressionPtr> Unary(bool with_filters) {
    const Deeper deeper(depth_);
    DUNNOCK_TRY_STATUS(CheckDepth());
    ExpressionPtr e;
    if (IsOperator("-") || IsOperator("+")) {
      const Token sign = Take();
      e = Make(EKind::kUnary, sign.at, sign.text);
      DUNNOCK_TRY(ExpressionPtr operand, Unary(false));
      e->items.push_back(std::move(operand));
    } else {
      DUNNOCK_TRY(e, Primary());
      DUNNOCK_TRY(e, Postfix(std::move(e)));
    }
    if (with_filters) return FiltersAndTests(std::move(e));
    return e;
  }

  Result<ExpressionPtr> Primary() {
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
        int64_t value = 0;
        const auto [end, error] =
            std::from_chars(t.text.data(), t.text.data() + t.text.size(), value);
        if (error != std::errc())
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
        e->items.push_back(std::move(item));
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
        e->items.push_back(std::move(key));
        e->items.push_back(std::move(value));
        if (!Accept(",")) break;
      }
      DUNNOCK_TRY_STATUS(Expect("}"));
      return e;
    }
    return Unexpected("a value");
  }

  Result<ExpressionPtr> Postfix(ExpressionPtr e) {
    for (;;) {
      const Position at = Peek().at;
      if (Accept(".")) {
        if (Is(Token::Kind::kInt)) {
          ExpressionPtr item = Make(EKind::kItem, at);
          DUNNOCK_TRY(ExpressionPtr index, Primary());
          item->items.push_back(std::move(e));
          item->items.push_back(std::move(index));
          e = std::move(item);
          continue;
        }
        ExpressionPtr attribute = Make(EKind::kAttribute, at);
        DUNNOCK_TRY(attribute->text, Name());
        attribute->items.push_back(std::move(e));
        e = std::move(attribute);
      } else if (Accept("[")) {
        DUNNOCK_TRY(e, Subscript(std::move(e), at));
      } else if (IsOperator("(")) {
        ExpressionPtr call = Make(EKind::kCall, at);
        call->items.push_back(std::move(e));
        DUNNOCK_TRY_STATUS(CallArguments(call.get()));
        e = std::move(call);
      } else {
        return e;
      }
    }
  }

  Result<ExpressionPtr> Subscript(ExpressionPtr base, Position at) {
    ExpressionPtr parts[3];
    bool slice = false;
    if (!IsOperator(":")) {
      DUNNOCK_TRY(parts[0], TupleOrOne());
    }
    for (size_t i = 1; i < 3 && Accept(":"); ++i) {
      slice = true;
      if (!IsOperator(":") && !IsOperator("]")) {
        DUNNOCK_TRY(parts[i], Any());
      }
    }
    DUNNOCK_TRY_STATUS(Expect("]"));
    ExpressionPtr e = Make(slice ? EKind::kSlice : EKind::kItem, at);
    e->items.push_back(std::move(base));
    for (size_t i = 0; i < (slice ? 3u : 1u); ++i) e->items.push_back(std::move(parts[i]));
    return e;
  }

  Status CallArguments(Expression* call) {
    DUNNOCK_TRY_STATUS(Expect("("));
    while (!IsOperator(")")) {
      if (Is(Token::Kind::kName) && tokens_[at_ + 1].kind == Token::Kind::kOperator &&
          tokens_[at_ + 1].text == "=") {
        std::string name = Take().text;
        Take();
        DUNNOCK_TRY(ExpressionPtr value, Any());
        call->named.emplace_back(std::move(name), std::move(value));
      } else {
        if (IsOperator("*") || IsOperator("**"))
          return FailAt(Peek().at, "unpacking arguments with * is not supported");
        DUNNOCK_TRY(ExpressionPtr value, Any());
        call->items.push_back(std::move(value));
      }
      if (!Accept(",")) break;
    }
    return Expect(")");
  }

  Result<std::string> DottedName() {
    DUNNOCK_TRY(std::string name, Name());
    while (Accept(".")) {
      DUNNOCK_TRY(const std::string part, Name());
      name += "." + part;
    }
    return name;
  }

  // first: the first filter stands without its "|".
  Result<ExpressionPtr> Filters(ExpressionPtr e, bool first) {
    while (first || IsOperator("|")) {
      if (!first) Take();
      first = false;
      ExpressionPtr filter = Make(EKind::kFilter, Peek().at);
      DUNNOCK_TRY(filter->text, DottedName());
      filter->items.push_back(std::move(e));
      if (IsOperator("(")) DUNNOCK_TRY_STATUS(CallArguments(filter.get()));
      e = std::move(filter);
    }
    return e;
  }

  Result<ExpressionPtr> FiltersAndTests(ExpressionPtr e) {
    for (;;) {
      if (IsOperator("|")) {
        DUNNOCK_TRY(e, Filters(std::move(e), false));
      } else if (IsWord("is")) {
        const Position at = Take().at;
        const bool negated = Accept("not");
        ExpressionPtr test = Make(EKind::kTest, at);
        DUNNOCK_TRY(test->text, DottedName());
        test->items.push_back(std::move(e));
        if (IsOperator("(")) {
          DUNNOCK_TRY_STATUS(CallArguments(test.get()));
        } else if ((Is(Token::Kind::kName) && !IsWord("else") && !IsWord("or") && !IsWord("and") &&
                    !IsWord("if") && !IsWord("is") && !IsWord("in") && !IsWord("not") &&
                    !IsWord("recursive")) ||
                   Is(Token::Kind::kString) || Is(Token::Kind::kInt) || Is(Token::Kind::kFloat) ||
                   IsOperator("[") || IsOperator("{")) {
          DUNNOCK_TRY(ExpressionPtr argument, Primary());
          DUNNOCK_TRY(argument, Postfix(std::move(argument)));
          test->items.push_back(std::move(argument));
        }
        e = std::move(test);
        if (negated) {
          ExpressionPtr no = Make(EKind::kUnary, at, "not");
          no->items.push_back(std::move(e));
          e = std::move(no);
        }
      } else {
        return e;
      }
    }
  }

  std::vector<Token> tokens_;
  size_t at_ = 0;
  int depth_ = 0;
};

}  // namespace

Result<Block> ParseTemplate(const std::string& source) {
  DUNNOCK_TRY(std::vector<Token> tokens, Tokenize(source));
  return Parser(std::move(tokens)).Template();
}

}  // namespace dunnock::jinja
