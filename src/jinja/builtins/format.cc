#include "jinja/builtins/format.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "base/str.h"
#include "base/text/utf8.h"
#include "jinja/print.h"

namespace dunnock::jinja {
namespace {

constexpr int64_t kMostWidth = 100'000, kMostPrecision = 500;

// [[fill]align][sign][#][0][width][grouping][.precision][type]
struct Spec {
  std::string fill = " ";
  char align = 0, sign = '-', grouping = 0, type = 0;
  bool alternate = false, zeros = false;
  int64_t width = 0, precision = -1;
};

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

Result<int64_t> ReadNumber(const std::string& s, size_t* at, int64_t most) {
  int64_t n = 0;
  for (; *at < s.size() && IsDigit(s[*at]); ++*at) {
    n = n * 10 + (s[*at] - '0');
    if (n > most) return Fail(ErrorCode::kLimit, Str("format: a number above ", most));
  }
  return n;
}

Result<Spec> ParseSpec(const std::string& s) {
  Spec spec;
  size_t at = 0;
  const auto is_align = [&](size_t i) {
    return i < s.size() && (s[i] == '<' || s[i] == '>' || s[i] == '^' || s[i] == '=');
  };
  const size_t first = s.empty() ? 0 : DecodeUtf8(s, 0).size;
  if (first > 0 && is_align(first)) {
    spec.fill = s.substr(0, first);
    spec.align = s[first];
    at = first + 1;
  } else if (is_align(0)) {
    spec.align = s[at++];
  }
  if (at < s.size() && (s[at] == '+' || s[at] == '-' || s[at] == ' ')) spec.sign = s[at++];
  if (at < s.size() && s[at] == '#') {
    spec.alternate = true;
    ++at;
  }
  if (at < s.size() && s[at] == '0') {
    spec.zeros = true;
    if (spec.align == 0) {
      spec.fill = "0";
      spec.align = '=';
    }
    ++at;
  }
  DUNNOCK_TRY(spec.width, ReadNumber(s, &at, kMostWidth));
  if (at < s.size() && (s[at] == ',' || s[at] == '_')) spec.grouping = s[at++];
  if (at < s.size() && s[at] == '.') {
    ++at;
    if (at >= s.size() || !IsDigit(s[at])) return Invalid("format: a precision is missing");
    DUNNOCK_TRY(spec.precision, ReadNumber(s, &at, kMostPrecision));
  }
  if (at < s.size()) spec.type = s[at++];
  if (at != s.size()) return Invalid(Str("format: \"", s, "\" is not understood"));
  return spec;
}

std::string Grouped(const std::string& digits, char separator, size_t every) {
  std::string out;
  for (size_t i = 0; i < digits.size(); ++i) {
    if (i > 0 && (digits.size() - i) % every == 0) out += separator;
    out += digits[i];
  }
  return out;
}

// The digits of |v| without a sign.
Result<std::string> FloatDigits(double v, char type, int64_t precision, bool alternate) {
  v = std::fabs(v);
  if (std::isnan(v)) return std::string(type == 'F' || type == 'E' || type == 'G' ? "NAN" : "nan");
  if (std::isinf(v)) return std::string(type == 'F' || type == 'E' || type == 'G' ? "INF" : "inf");
  const std::string format = Str(alternate ? "%#.*" : "%.*", type);
  std::string buffer(static_cast<size_t>(400 + std::max<int64_t>(precision, 6)), '\0');
  const int size = std::snprintf(buffer.data(), buffer.size(), format.c_str(),
                                 static_cast<int>(precision < 0 ? 6 : precision), v);
  buffer.resize(static_cast<size_t>(size));
  return buffer;
}

std::string IntDigits(int64_t v, char type) {
  uint64_t rest = v < 0 ? 0 - static_cast<uint64_t>(v) : static_cast<uint64_t>(v);
  const unsigned base = type == 'x' || type == 'X' ? 16 : type == 'o' ? 8 : type == 'b' ? 2 : 10;
  const char* const digits = type == 'X' ? "0123456789ABCDEF" : "0123456789abcdef";
  std::string out;
  do {
    out += digits[rest % base];
    rest /= base;
  } while (rest != 0);
  std::reverse(out.begin(), out.end());
  return out;
}

Text Padded(const Text& sign, const Text& body, const Spec& spec, char default_align) {
  const size_t have = CountCharacters(sign.str()) + CountCharacters(body.str());
  const size_t pad =
      static_cast<size_t>(spec.width) > have ? static_cast<size_t>(spec.width) - have : 0;
  const char align = spec.align != 0 ? spec.align : default_align;
  const size_t left = align == '<' ? 0 : align == '^' ? pad / 2 : pad;
  const auto fill = [&](size_t n) {
    std::string out;
    for (size_t i = 0; i < n; ++i) out += spec.fill;
    return Text(out, true);
  };
  Text out;
  if (align == '=') out.Append(sign);
  out.Append(fill(left));
  if (align != '=') out.Append(sign);
  out.Append(body);
  out.Append(fill(pad - left));
  return out;
}

Result<Text> Number(const Value& v, const Spec& spec) {
  const bool as_float = v.Is(Kind::kFloat) || std::string("eEfFgG%").find(spec.type) < 7;
  const bool negative = as_float ? std::signbit(v.AsFloat()) : v.AsInt() < 0;
  std::string sign = negative ? "-" : spec.sign == '-' ? "" : std::string(1, spec.sign);
  std::string digits, tail;
  if (as_float) {
    if (spec.type == 0 || spec.type == 'n') {
      if (spec.precision < 0) {
        digits = FloatRepr(std::fabs(v.AsFloat()));
      } else {
        DUNNOCK_TRY(digits, FloatDigits(v.AsFloat(), 'g', std::max<int64_t>(spec.precision, 1),
                                        spec.alternate));
        if (digits.find_first_of(".en") == std::string::npos) digits += ".0";
      }
    } else {
      const bool percent = spec.type == '%';
      DUNNOCK_TRY(
          digits,
          FloatDigits(
              percent ? v.AsFloat() * 100 : v.AsFloat(), percent ? 'f' : spec.type,
              (spec.type == 'g' || spec.type == 'G') && spec.precision == 0 ? 1 : spec.precision,
              spec.alternate));
      if (percent) tail = "%";
    }
    const size_t whole = digits.find_first_not_of("0123456789");
    if (whole != std::string::npos) {
      tail = digits.substr(whole) + tail;
      digits.resize(whole);
    }
  } else {
    if (spec.precision >= 0) return Invalid("format: an integer has no precision");
    if (spec.type != 0 && std::string("bdoxXnc").find(spec.type) == std::string::npos)
      return Invalid(Str("format: \"", spec.type, "\" does not fit an integer"));
    if (spec.type == 'c') {
      std::string one;
      AppendUtf8(one, static_cast<char32_t>(std::clamp<int64_t>(v.AsInt(), 0, 0x10FFFF)));
      return Padded(Text(), Text(one, v.Trusted()), spec, '<');
    }
    digits = IntDigits(v.AsInt(), spec.type);
    if (spec.alternate &&
        (spec.type == 'x' || spec.type == 'X' || spec.type == 'o' || spec.type == 'b'))
      sign += Str('0', spec.type);
  }
  if (spec.grouping != 0) {
    const bool by_four =
        spec.type == 'x' || spec.type == 'X' || spec.type == 'o' || spec.type == 'b';
    if (by_four && spec.grouping == ',') return Invalid("format: \",\" needs a decimal number");
    const size_t every = by_four ? 4 : 3;
    if (spec.fill == "0" && spec.align == '=') {  // the zeros are grouped too
      const auto want = static_cast<size_t>(spec.width);
      while (sign.size() + Grouped(digits, spec.grouping, every).size() + tail.size() < want &&
             digits.size() < want)
        digits.insert(digits.begin(), '0');
    }
    digits = Grouped(digits, spec.grouping, every);
  }
  return Padded(Text(sign, true), Text(digits + tail, true), spec, '>');
}

Result<Text> Formatted(Limits& limits, const Value& v, const Spec& spec) {
  DUNNOCK_TRY_STATUS(limits.Charge(1 + static_cast<size_t>(spec.width) / 64));
  if (v.IsNumber() && (!v.Is(Kind::kBool) || spec.type != 0)) return Number(v, spec);
  DUNNOCK_TRY(Text text, limits.Print(v));
  if (v.Is(Kind::kBool)) {
    if (spec.width == 0 && spec.precision < 0) return text;
    return Number(v, spec);
  }
  if (spec.type != 0 && spec.type != 's')
    return Invalid(Str("format: \"", spec.type, "\" does not fit ", v.TypeName()));
  if (spec.sign != '-' || spec.alternate || spec.grouping != 0 || spec.align == '=')
    if (!(spec.zeros && spec.align == '=')) return Invalid("format: a sign does not fit a string");
  if (spec.precision >= 0) text = TextSlice(text, 0, static_cast<size_t>(spec.precision));
  Spec as_text = spec;
  if (as_text.align == '=') as_text.align = '<';
  return Padded(Text(), text, as_text, '<');
}

}  // namespace

Result<Value> FormatPercent(Limits& limits, const Text& format, const Value& values) {
  const std::string& f = format.str();
  const bool many = values.Is(Kind::kTuple);
  size_t used = 0;
  bool named = false;
  const auto next = [&]() -> Result<Value> {
    if (used >= (many ? values.AsList().size() : 1)) return Invalid("%: not enough values");
    return many ? values.AsList()[used++] : (++used, values);
  };
  Text out;
  for (size_t at = 0; at < f.size();) {
    const size_t percent = std::min(f.find('%', at), f.size());
    out.Append(format.Slice(at, percent));
    if (percent == f.size()) break;
    at = percent + 1;
    std::optional<Value> value;
    if (at < f.size() && f[at] == '(') {
      const size_t close = f.find(')', at);
      if (close == std::string::npos) return Invalid("%: a \"(\" is not closed");
      if (!values.Is(Kind::kDict)) return Invalid("%: \"%(name)s\" expects a dict");
      const Value* found = values.Find(f.substr(at + 1, close - at - 1));
      if (found == nullptr)
        return Invalid(Str("%: no value for \"", f.substr(at + 1, close - at - 1), "\""));
      value = *found;
      named = true;
      at = close + 1;
    }
    Spec spec;
    spec.align = '>';
    bool zeros = false;
    for (; at < f.size() && std::string("-+ #0").find(f[at]) != std::string::npos; ++at) {
      if (f[at] == '-') spec.align = '<';
      if (f[at] == '+' || (f[at] == ' ' && spec.sign == '-')) spec.sign = f[at];
      if (f[at] == '#') spec.alternate = true;
      if (f[at] == '0') zeros = true;
    }
    const auto number = [&](int64_t most) -> Result<int64_t> {
      if (at >= f.size() || f[at] != '*') return ReadNumber(f, &at, most);
      ++at;
      DUNNOCK_TRY(const Value v, next());
      if (!v.IsInteger()) return Invalid("%: \"*\" expects an integer");
      if (v.AsInt() < 0) spec.align = '<';
      if (v.AsInt() > most || v.AsInt() < -most)
        return Fail(ErrorCode::kLimit, Str("%: a number above ", most));
      return std::abs(v.AsInt());
    };
    DUNNOCK_TRY(spec.width, number(kMostWidth));
    if (at < f.size() && f[at] == '.') {
      ++at;
      DUNNOCK_TRY(spec.precision, number(kMostPrecision));
    }
    while (at < f.size() && (f[at] == 'l' || f[at] == 'h' || f[at] == 'L')) ++at;
    if (at >= f.size()) return Invalid("%: the format ends behind a \"%\"");
    const char type = f[at++];
    if (type == '%') {
      out.Append(Text("%", true));
      continue;
    }
    if (!value) {
      DUNNOCK_TRY(value, next());
    }
    DUNNOCK_TRY_STATUS(limits.Charge(1 + static_cast<size_t>(spec.width) / 64));
    if (type == 's' || type == 'r' || type == 'a') {
      DUNNOCK_TRY(Text text, limits.Print(*value));
      if (type != 's') text = Text(Repr(*value), value->Trusted());
      if (spec.precision >= 0) text = TextSlice(text, 0, static_cast<size_t>(spec.precision));
      out.Append(Padded(Text(), text, spec, '>'));
      DUNNOCK_TRY_STATUS(limits.CheckSize(out));
      continue;
    }
    if (type == 'c' && value->Is(Kind::kString) && CountCharacters(value->AsText().str()) == 1) {
      out.Append(Padded(Text(), value->AsText(), spec, '>'));
      continue;
    }
    if (std::string("diuoxXeEfFgGc").find(type) == std::string::npos)
      return Invalid(Str("%: \"", type, "\" is not known"));
    if (!value->IsNumber()) return Invalid(Str("%: expected a number, found ", value->TypeName()));
    const bool integer = std::string("diuoxXc").find(type) != std::string::npos;
    if (integer && value->Is(Kind::kFloat) && type != 'd' && type != 'i' && type != 'u')
      return Invalid("%: expected an integer, found a float");
    if (zeros && spec.align != '<') {
      spec.fill = "0";
      spec.align = '=';
    }
    spec.type = type == 'i' || type == 'u' ? 'd' : type;
    Value v = integer ? Value(value->AsInt()) : Value(value->AsFloat());
    const int64_t digits = integer ? std::exchange(spec.precision, -1) : -1;
    if (digits >= 0) {  // at least so many digits
      Spec inner;
      inner.fill = "0";
      inner.align = '=';
      inner.type = spec.type;
      inner.alternate = spec.alternate;
      inner.width = digits;
      const Value magnitude = v.AsInt() == INT64_MIN ? v : Value(std::abs(v.AsInt()));
      DUNNOCK_TRY(const Text body, Number(magnitude, inner));
      const std::string sign = v.AsInt() < 0      ? "-"
                               : spec.sign == '-' ? ""
                                                  : std::string(1, spec.sign);
      out.Append(Padded(Text(sign, true), body, spec, '>'));
    } else {
      DUNNOCK_TRY(const Text text, Number(v, spec));
      out.Append(text);
    }
    DUNNOCK_TRY_STATUS(limits.CheckSize(out));
  }
  if (many ? used < values.AsList().size()
           : used == 0 && !named && !values.Is(Kind::kDict) && !values.IsSequence() &&
                 !values.Is(Kind::kUndefined))
    return Invalid("%: not all values were used");
  DUNNOCK_TRY_STATUS(limits.CheckSize(out));
  return Value(out);
}

namespace {

// The value that "0", "name" or "0.key[1]" names.
Result<Value> FieldValue(const std::string& field, const Arguments& arguments, size_t* automatic) {
  const size_t end = std::min(field.find_first_of(".["), field.size());
  const std::string name = field.substr(0, end);
  const Value* found = nullptr;
  if (name.empty() || std::all_of(name.begin(), name.end(), IsDigit)) {
    size_t zero = 0;
    size_t index = *automatic;
    if (name.empty()) {
      if (index == SIZE_MAX) return Invalid("format: numbered and unnumbered fields are mixed");
      ++*automatic;
    } else {
      if (*automatic != 0 && *automatic != SIZE_MAX)
        return Invalid("format: numbered and unnumbered fields are mixed");
      *automatic = SIZE_MAX;
      DUNNOCK_TRY(const int64_t n, ReadNumber(name, &zero, 10'000));
      index = static_cast<size_t>(n);
    }
    if (index < arguments.positional.size()) found = &arguments.positional[index];
  } else {
    for (const auto& [key, value] : arguments.named) {
      if (key == name) found = &value;
    }
  }
  if (found == nullptr) return Invalid(Str("format: no value for \"", name, "\""));
  Value v = *found;
  for (size_t at = end; at < field.size();) {
    if (field[at] == '.') {
      return Invalid("format: attributes are not supported");
    }
    const size_t close = field.find(']', at);
    if (field[at] != '[' || close == std::string::npos || close == at + 1)
      return Invalid(Str("format: \"", field, "\" is not understood"));
    const std::string key = field.substr(at + 1, close - at - 1);
    const bool index = std::all_of(key.begin(), key.end(), IsDigit) && key.size() < 10;
    DUNNOCK_TRY(
        v, GetItem(v, index ? Value(static_cast<int64_t>(std::stol(key))) : Value::Trusted(key)));
    if (v.Is(Kind::kUndefined)) return Invalid(Str("format: no value for \"", field, "\""));
    at = close + 1;
  }
  return v;
}

Result<Text> Braces(Limits& limits, const Text& format, const Arguments& arguments,
                    size_t* automatic, int depth) {
  const std::string& f = format.str();
  Text out;
  for (size_t at = 0; at < f.size();) {
    const size_t brace = std::min(f.find_first_of("{}", at), f.size());
    out.Append(format.Slice(at, brace));
    if (brace == f.size()) break;
    if (brace + 1 < f.size() && f[brace + 1] == f[brace] && depth == 0) {
      out.Append(format.Slice(brace, brace + 1));
      at = brace + 2;
      continue;
    }
    if (f[brace] == '}') return Invalid("format: a \"}\" without its \"{\"");
    if (depth > 1) return Invalid("format: fields nest too deeply");
    size_t close = brace + 1;
    for (int open = 1; close < f.size(); ++close) {
      if (f[close] == '{') ++open;
      if (f[close] == '}' && --open == 0) break;
    }
    if (close >= f.size()) return Invalid("format: a \"{\" is not closed");
    const std::string field = f.substr(brace + 1, close - brace - 1);
    const size_t end = std::min(field.find_first_of("!:"), field.size());
    DUNNOCK_TRY(Value v, FieldValue(field.substr(0, end), arguments, automatic));
    size_t colon = end;
    if (end < field.size() && field[end] == '!') {
      if (end + 1 >= field.size() || std::string("sra").find(field[end + 1]) == std::string::npos)
        return Invalid("format: \"!\" expects s or r");
      DUNNOCK_TRY(const Text printed, limits.Print(v));
      v = field[end + 1] == 's' ? Value(printed) : Value(Text(Repr(v), v.Trusted()));
      colon = end + 2;
      if (colon < field.size() && field[colon] != ':')
        return Invalid("format: expected \":\" behind the conversion");
    }
    const Text spec_text(colon < field.size() ? field.substr(colon + 1) : "", true);
    DUNNOCK_TRY(const Text filled, Braces(limits, spec_text, arguments, automatic, depth + 1));
    if (!v.IsNumber() && !v.Is(Kind::kString) && filled.size() > 0)
      return Invalid(Str("format: ", v.TypeName(), " takes no format"));
    DUNNOCK_TRY(const Spec spec, ParseSpec(filled.str()));
    DUNNOCK_TRY(const Text text, Formatted(limits, v, spec));
    out.Append(text);
    DUNNOCK_TRY_STATUS(limits.CheckSize(out));
    at = close + 1;
  }
  return out;
}

}  // namespace

Result<Value> FormatBraces(Limits& limits, const Text& format, const Arguments& arguments) {
  size_t automatic = 0;
  DUNNOCK_TRY(const Text out, Braces(limits, format, arguments, &automatic, 0));
  return Value(out);
}

}  // namespace dunnock::jinja
