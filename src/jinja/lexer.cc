#include "jinja/lexer.h"

#include <algorithm>

#include "base/str.h"
#include "base/text/utf8.h"
#include "unicode/characters.h"

namespace dunnock::jinja {
namespace {

bool IsNameStart(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
         static_cast<uint8_t>(c) >= 0x80;
}
bool IsDigit(char c) { return c >= '0' && c <= '9'; }

// How many bytes of white space stand at text[at] (jinja2's \s is Unicode's).
size_t SpaceAt(std::string_view text, size_t at) {
  if (at >= text.size()) return 0;
  const DecodedChar c = DecodeUtf8(text, at);
  const bool space = IsWhiteSpace(c.code_point) || (c.code_point >= 0x1C && c.code_point <= 0x1F);
  return space ? c.size : 0;
}

void TrimLeft(std::string& text) {
  size_t at = 0;
  while (const size_t n = SpaceAt(text, at)) at += n;
  text.erase(0, at);
}

// Where the white space at the end of text begins.
size_t TrailingSpace(const std::string& text) {
  size_t end = text.size();
  while (end > 0) {
    size_t at = end - 1;
    while (at > 0 && (static_cast<uint8_t>(text[at]) & 0xC0) == 0x80) --at;
    if (SpaceAt(text, at) != end - at) break;
    end = at;
  }
  return end;
}

class Lexer {
 public:
  explicit Lexer(std::string source) : source_(std::move(source)) {}

  Result<std::vector<Token>> Run() {
    std::string text;
    bool trim_left = false;  // after "-%}"
    while (at_ < source_.size()) {
      const size_t tag = NextTag();
      std::string piece = source_.substr(at_, tag - at_);
      if (trim_left) TrimLeft(piece);
      const Position begin = PositionOf(at_);
      at_ = tag;
      if (tag == source_.size()) {
        AddText(piece, begin);
        break;
      }
      const char kind = source_[tag + 1];
      const char sign = tag + 2 < source_.size() ? source_[tag + 2] : 0;
      if (sign == '-') {
        piece.erase(TrailingSpace(piece));
      } else if (sign != '+' && kind != '{') {  // lstrip_blocks
        const size_t line = piece.rfind('\n');
        const size_t start = line == std::string::npos ? 0 : line + 1;
        const bool at_line_start = line != std::string::npos || AtLineStart(tag - piece.size());
        if (at_line_start && TrailingSpace(piece) <= start) piece.erase(start);
      }
      AddText(piece, begin);
      at_ += 2 + (sign == '-' || sign == '+' ? 1 : 0);
      trim_left = false;
      if (kind == '#') {
        const size_t end = source_.find("#}", at_);
        if (end == std::string::npos)
          return FailAt(PositionOf(tag),
                        "a comment that begins here is not closed: expected \"#}\"");
        trim_left = end > at_ && source_[end - 1] == '-';
        const bool keep = end > at_ && source_[end - 1] == '+';
        at_ = end + 2;
        if (!trim_left && !keep) SkipNewline();
        continue;
      }
      if (kind == '%' && IsRaw()) {
        if (const Status raw = Raw(&trim_left); !raw) return std::unexpected(raw.error());
        continue;
      }
      tokens_.push_back(
          {kind == '{' ? Token::Kind::kPrintBegin : Token::Kind::kBlockBegin, "", PositionOf(tag)});
      DUNNOCK_TRY(trim_left, Inside(kind == '{' ? "}}" : "%}", PositionOf(tag)));
    }
    tokens_.push_back({Token::Kind::kEnd, "", PositionOf(source_.size())});
    return std::move(tokens_);
  }

 private:
  Position PositionOf(size_t at) {
    // Positions are asked for in ascending order, or nearly so.
    if (at < counted_) {
      counted_ = 0;
      counted_position_ = {};
    }
    for (; counted_ < at; ++counted_) {
      if (source_[counted_] == '\n') {
        ++counted_position_.line;
        counted_position_.column = 1;
      } else if ((static_cast<uint8_t>(source_[counted_]) & 0xC0) != 0x80) {
        ++counted_position_.column;
      }
    }
    return counted_position_;
  }

  size_t NextTag() const {
    for (size_t i = at_; i + 1 < source_.size(); ++i) {
      if (source_[i] == '{' &&
          (source_[i + 1] == '{' || source_[i + 1] == '%' || source_[i + 1] == '#'))
        return i;
    }
    return source_.size();
  }

  bool AtLineStart(size_t at) const { return at == 0 || source_[at - 1] == '\n'; }

  void AddText(const std::string& text, Position at) {
    if (!text.empty()) tokens_.push_back({Token::Kind::kText, text, at});
  }

  void SkipNewline() {  // trim_blocks
    if (at_ < source_.size() && source_[at_] == '\n') ++at_;
  }

  size_t SkipSpace(size_t at) const {
    while (const size_t n = SpaceAt(source_, at)) at += n;
    return at;
  }

  bool IsRaw() const {
    const size_t word = SkipSpace(at_);
    if (source_.compare(word, 3, "raw") != 0) return false;
    size_t end = SkipSpace(word + 3);
    if (end < source_.size() && (source_[end] == '-' || source_[end] == '+')) ++end;
    return source_.compare(end, 2, "%}") == 0;
  }

  Status Raw(bool* trim_left) {
    const Position begin = PositionOf(at_);
    const size_t open = source_.find("%}", at_);
    bool trim = source_[open - 1] == '-';
    at_ = open + 2;  // trim_blocks does not count here
    for (size_t i = at_; (i = source_.find("{%", i)) != std::string::npos; i += 2) {
      size_t word = i + 2;
      const char sign = word < source_.size() ? source_[word] : 0;
      if (sign == '-' || sign == '+') ++word;
      word = SkipSpace(word);
      if (source_.compare(word, 6, "endraw") != 0) continue;
      size_t end = SkipSpace(word + 6);
      const char close = end < source_.size() ? source_[end] : 0;
      if (close == '-' || close == '+') ++end;
      if (source_.compare(end, 2, "%}") != 0) continue;
      std::string text = source_.substr(at_, i - at_);
      if (trim) TrimLeft(text);
      if (sign == '-') {
        text.erase(TrailingSpace(text));
      } else if (sign != '+') {
        const size_t line = text.rfind('\n');
        if (line != std::string::npos && TrailingSpace(text) <= line + 1) text.erase(line + 1);
      }
      AddText(text, begin);
      at_ = end + 2;
      *trim_left = close == '-';
      if (close == 0 || (close != '-' && close != '+')) SkipNewline();
      return {};
    }
    return FailAt(begin, "a raw block that begins here is not closed: expected \"{% endraw %}\"");
  }

  // The words of a tag up to its end; the result: whether "-" trims what follows.
  Result<bool> Inside(std::string_view end, Position tag) {
    std::vector<char> open;  // brackets
    for (;;) {
      at_ = SkipSpace(at_);
      if (at_ >= source_.size())
        return FailAt(tag, Str("a tag that begins here is not closed: expected \"", end, "\""));
      const std::string_view rest = std::string_view(source_).substr(at_);
      const Position here = PositionOf(at_);
      const bool signs = rest[0] == '-' || (rest[0] == '+' && end == "%}");
      if (open.empty() && (rest.starts_with(end) || (signs && rest.substr(1).starts_with(end)))) {
        const char sign = rest.starts_with(end) ? 0 : rest[0];
        at_ += (sign != 0 ? 1 : 0) + 2;
        tokens_.push_back(
            {end == "}}" ? Token::Kind::kPrintEnd : Token::Kind::kBlockEnd, "", here});
        if (end == "%}" && sign == 0) SkipNewline();
        return sign == '-';
      }
      if (IsNameStart(rest[0])) {
        size_t n = 1;
        while (n < rest.size() && (IsNameStart(rest[n]) || IsDigit(rest[n]))) ++n;
        tokens_.push_back({Token::Kind::kName, std::string(rest.substr(0, n)), here});
        at_ += n;
      } else if (IsDigit(rest[0])) {
        Number(rest, here);
      } else if (rest[0] == '\'' || rest[0] == '"') {
        if (const Status s = String(rest, here); !s) return std::unexpected(s.error());
      } else {
        static constexpr std::string_view kOperators[] = {
            "**", "//", "==", "!=", "<=", ">=", "+", "-", "*", "/", "%", "~", "<",
            ">",  "=",  "(",  ")",  "[",  "]",  "{", "}", ".", ",", ":", "|"};
        const auto* found = std::find_if(std::begin(kOperators), std::end(kOperators),
                                         [&](std::string_view o) { return rest.starts_with(o); });
        if (found == std::end(kOperators))
          return FailAt(here, Str("unexpected \"", rest.substr(0, DecodeUtf8(rest, 0).size), "\""));
        const char c = rest[0];
        if (c == '(' || c == '[' || c == '{') open.push_back(c);
        if (c == ')' || c == ']' || c == '}') {
          const char wanted = c == ')' ? '(' : c == ']' ? '[' : '{';
          if (open.empty() || open.back() != wanted)
            return FailAt(here, Str("\"", c, "\" closes nothing"));
          open.pop_back();
        }
        tokens_.push_back({Token::Kind::kOperator, std::string(*found), here});
        at_ += found->size();
      }
    }
  }

  void Number(std::string_view rest, Position here) {
    size_t n = 0;
    bool is_float = false;
    const auto digits = [&](std::string_view allowed) {
      while (n < rest.size() && (allowed.find(rest[n]) != std::string_view::npos ||
                                 (rest[n] == '_' && n + 1 < rest.size() &&
                                  allowed.find(rest[n + 1]) != std::string_view::npos)))
        ++n;
    };
    constexpr std::string_view kDecimal = "0123456789";
    if (rest[0] == '0' && rest.size() > 2) {
      const char c = rest[1];
      const std::string_view allowed = c == 'x' || c == 'X'   ? "0123456789abcdefABCDEF"
                                       : c == 'o' || c == 'O' ? "01234567"
                                       : c == 'b' || c == 'B' ? "01"
                                                              : "";
      if (allowed.find(rest[rest[2] == '_' && rest.size() > 3 ? 3 : 2]) != std::string_view::npos) {
        n = 2;
        digits(allowed);
        std::string text(rest.substr(0, n));
        std::erase(text, '_');
        tokens_.push_back({Token::Kind::kInt, text, here});
        at_ += n;
        return;
      }
    }
    digits(kDecimal);
    if (n + 1 < rest.size() && rest[n] == '.' && IsDigit(rest[n + 1])) {
      is_float = true;
      ++n;
      digits(kDecimal);
    }
    if (n < rest.size() && (rest[n] == 'e' || rest[n] == 'E')) {
      const size_t sign = n + 1 < rest.size() && (rest[n + 1] == '+' || rest[n + 1] == '-') ? 1 : 0;
      if (n + 1 + sign < rest.size() && IsDigit(rest[n + 1 + sign])) {
        is_float = true;
        n += 1 + sign;
        digits(kDecimal);
      }
    }
    std::string text(rest.substr(0, n));
    std::erase(text, '_');
    tokens_.push_back({is_float ? Token::Kind::kFloat : Token::Kind::kInt, text, here});
    at_ += n;
  }

  Status String(std::string_view rest, Position here) {
    std::string out;
    size_t i = 1;
    for (; i < rest.size() && rest[i] != rest[0]; ++i) {
      if (rest[i] != '\\' || i + 1 >= rest.size()) {
        out += rest[i];
        continue;
      }
      const char c = rest[++i];
      const auto hex = [&](size_t count) {
        char32_t code = 0;
        size_t n = 0;
        for (; n < count && i + 1 + n < rest.size(); ++n) {
          const char h = rest[i + 1 + n];
          const int v = h >= '0' && h <= '9'   ? h - '0'
                        : h >= 'a' && h <= 'f' ? h - 'a' + 10
                        : h >= 'A' && h <= 'F' ? h - 'A' + 10
                                               : -1;
          if (v < 0) break;
          code = code * 16 + static_cast<char32_t>(v);
        }
        i += n;
        AppendUtf8(out, code);
        return n == count;
      };
      bool fine = true;
      switch (c) {
        case 'n':
          out += '\n';
          break;
        case 't':
          out += '\t';
          break;
        case 'r':
          out += '\r';
          break;
        case 'b':
          out += '\b';
          break;
        case 'f':
          out += '\f';
          break;
        case 'v':
          out += '\v';
          break;
        case 'a':
          out += '\a';
          break;
        case '\n':
          break;
        case '\\':
        case '\'':
        case '"':
          out += c;
          break;
        case 'x':
          fine = hex(2);
          break;
        case 'u':
          fine = hex(4);
          break;
        case 'U':
          fine = hex(8);
          break;
        default:
          if (c >= '0' && c <= '7') {
            char32_t code = 0;
            size_t n = 0;
            for (; n < 3 && i < rest.size() && rest[i] >= '0' && rest[i] <= '7'; ++n)
              code = code * 8 + static_cast<char32_t>(rest[i++] - '0');
            --i;
            AppendUtf8(out, code);
          } else {
            out += '\\';
            out += c;
          }
      }
      if (!fine) return FailAt(here, "a string with a broken \\x, \\u or \\U escape");
    }
    if (i >= rest.size()) return FailAt(here, "a string that begins here is not closed");
    tokens_.push_back({Token::Kind::kString, out, here});
    at_ += i + 1;
    return {};
  }

  std::string source_;
  size_t at_ = 0, counted_ = 0;
  Position counted_position_;
  std::vector<Token> tokens_;
};

}  // namespace

Result<std::vector<Token>> Tokenize(const std::string& source) {
  std::string unix_lines;
  for (size_t i = 0; i < source.size(); ++i) {
    if (source[i] == '\r') {
      unix_lines += '\n';
      if (i + 1 < source.size() && source[i + 1] == '\n') ++i;
    } else {
      unix_lines += source[i];
    }
  }
  if (unix_lines.ends_with('\n')) unix_lines.pop_back();
  return Lexer(std::move(unix_lines)).Run();
}

}  // namespace dunnock::jinja
