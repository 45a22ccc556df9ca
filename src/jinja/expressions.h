#pragma once
// Parses the expressions of the template language by recursive descent, loosest operators first.
// The parser of statements (parser.cc) is derived from it. All errors are kInvalid and say line and
// column.

#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "jinja/lexer.h"
#include "jinja/tree.h"

namespace dunnock::jinja {

class ExpressionParser {
 public:
  explicit ExpressionParser(std::vector<Token> tokens) : tokens_(std::move(tokens)) {}

  // Parses an expression; "a if b else c" only if `conditional`.
  Result<ExpressionPtr> Any(bool conditional = true);
  // Parses an expression, or several with commas between, which make a tuple.
  Result<ExpressionPtr> TupleOrOne(bool conditional = true, std::string_view end_word = {});
  // Parses filters after a value: "| filter | filter". With `first` the first one has no "|".
  Result<ExpressionPtr> Filters(ExpressionPtr value, bool first);
  ExpressionPtr Make(Expression::Kind kind, Position at, std::string text = "") const;

 protected:
  const Token& Peek() const { return tokens_[at_]; }
  const Token& PeekBehind() const { return tokens_[std::min(at_ + 1, tokens_.size() - 1)]; }
  Token Take() { return tokens_[at_ + 1 < tokens_.size() ? at_++ : at_]; }
  bool Is(Token::Kind kind) const { return Peek().kind == kind; }
  bool IsOperator(std::string_view text) const {
    return Is(Token::Kind::kOperator) && Peek().text == text;
  }
  bool IsWord(std::string_view text) const { return Is(Token::Kind::kName) && Peek().text == text; }
  bool Accept(std::string_view text);
  std::unexpected<Error> Unexpected(const std::string& wanted) const;
  Status Expect(std::string_view text);
  Result<std::string> Name();

  struct Deeper {
    explicit Deeper(int& depth) : depth(depth) { ++depth; }
    ~Deeper() { --depth; }
    int& depth;
  };
  Status CheckDepth() const;
  Status CheckHeight(const Expression& e) const;
  int depth_ = 0;
  // How often the names caller, varargs and kwargs have been read; a macro that uses them accepts
  // more than its parameters.
  size_t callers_ = 0, varargs_ = 0, kwargs_ = 0;

 private:
  Result<ExpressionPtr> Or();
  Result<ExpressionPtr> And();
  Result<ExpressionPtr> Not();
  Result<ExpressionPtr> Comparison();
  Result<ExpressionPtr> Sum();
  Result<ExpressionPtr> Concatenation();
  Result<ExpressionPtr> Product();
  Result<ExpressionPtr> Power();
  Result<ExpressionPtr> Unary(bool with_filters = true);
  Result<ExpressionPtr> Primary();
  Result<ExpressionPtr> Postfix(ExpressionPtr e);
  Result<ExpressionPtr> FiltersAndTests(ExpressionPtr e);
  Result<ExpressionPtr> Test(ExpressionPtr e);
  Result<ExpressionPtr> Subscript(ExpressionPtr base);
  Result<ExpressionPtr> CallOf(ExpressionPtr callee);
  Status CallArguments(Expression* call);
  Result<std::string> DottedName();
  Result<ExpressionPtr> LeftChain(std::initializer_list<std::string_view> operators,
                                  Result<ExpressionPtr> (ExpressionParser::*next)());

  std::vector<Token> tokens_;
  size_t at_ = 0;
};

}  // namespace dunnock::jinja
