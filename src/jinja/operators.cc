#include "jinja/operators.h"

#include <algorithm>
#include <cmath>

#include "base/str.h"
#include "jinja/builtins/format.h"

namespace dunnock::jinja {
namespace {

std::unexpected<Error> TooLarge() { return Invalid("the result is too large"); }

Result<Value> Joined(Limits& limits, const Value& a, const Value& b) {
  const bool markup = a.markup() || b.markup();
  Text text = markup && !a.markup() ? EscapeHtml(a.AsText()) : a.AsText();
  text.Append(markup && !b.markup() ? EscapeHtml(b.AsText()) : b.AsText());
  DUNNOCK_TRY_STATUS(limits.CheckSize(text));
  return markup ? Value::Markup(std::move(text)) : Value(std::move(text));
}

Result<Value> Repeat(Limits& limits, const Value& a, const Value& b) {
  const Value& what = a.IsNumber() ? b : a;
  const Value& times = a.IsNumber() ? a : b;
  if (!times.IsInteger() || what.Is(Kind::kRange))
    return Invalid(Str("\"*\" of ", a.TypeName(), " and ", b.TypeName()));
  const int64_t n = std::max<int64_t>(times.AsInt(), 0);
  if (n > 1'000'000) return Fail(ErrorCode::kLimit, "repeated more than a million times");
  if (what.Is(Kind::kString)) {
    const size_t size = what.AsText().size();
    if (size > 0 && static_cast<size_t>(n) > limits.max_bytes / size)
      return Fail(ErrorCode::kLimit, Str("a text of more than ", limits.max_bytes, " bytes"));
    DUNNOCK_TRY_STATUS(limits.Charge(what.AsText().runs().size() * static_cast<size_t>(n)));
    Text text;
    for (int64_t i = 0; i < n; ++i) text.Append(what.AsText());
    DUNNOCK_TRY_STATUS(limits.CheckSize(text));
    return what.markup() ? Value::Markup(std::move(text)) : Value(std::move(text));
  }
  List list;
  for (int64_t i = 0; i < n; ++i) {
    DUNNOCK_TRY_STATUS(limits.Charge(1 + what.AsList().size()));
    list.insert(list.end(), what.AsList().begin(), what.AsList().end());
  }
  return Value::OfList(std::move(list), what.kind());
}

// Python's // and %: towards negative infinity.
Result<Value> Divided(const std::string& op, const Value& a, const Value& b) {
  if (b.AsFloat() == 0.0) return Invalid("division by zero");
  if (op == "/") return Value(a.AsFloat() / b.AsFloat());
  if (a.Is(Kind::kFloat) || b.Is(Kind::kFloat)) {
    const double x = a.AsFloat(), y = b.AsFloat();
    double rest = std::fmod(x, y);
    double quotient = (x - rest) / y;
    if (rest != 0 && (rest < 0) != (y < 0)) {
      rest += y;
      quotient -= 1;
    } else if (rest == 0) {
      rest = std::copysign(0.0, y);
    }
    if (op == "%") return Value(rest);
    if (quotient == 0) return Value(std::copysign(0.0, x / y));
    const double whole = std::floor(quotient);
    return Value(quotient - whole > 0.5 ? whole + 1 : whole);
  }
  if (b.AsInt() == -1) {
    if (op == "%") return Value(int64_t{0});
    return a.AsInt() == INT64_MIN ? Result<Value>(TooLarge()) : Value(-a.AsInt());
  }
  int64_t quotient = a.AsInt() / b.AsInt(), rest = a.AsInt() % b.AsInt();
  if (rest != 0 && (rest < 0) != (b.AsInt() < 0)) {
    --quotient;
    rest += b.AsInt();
  }
  return Value(op == "//" ? quotient : rest);
}

Result<Value> Power(Limits& limits, const Value& a, const Value& b) {
  if (a.Is(Kind::kFloat) || b.Is(Kind::kFloat) || b.AsInt() < 0) {
    if (a.AsFloat() == 0 && b.AsFloat() < 0) return Invalid("zero to a negative power");
    const double power = std::pow(a.AsFloat(), b.AsFloat());
    if (std::isnan(power) && !std::isnan(a.AsFloat()) && !std::isnan(b.AsFloat()))
      return Invalid("the power of a negative number is not real");
    if (std::isinf(power) && std::isfinite(a.AsFloat()) && std::isfinite(b.AsFloat()))
      return TooLarge();
    return Value(power);
  }
  int64_t out = 1;
  for (int64_t i = 0; i < b.AsInt(); ++i) {
    if (__builtin_mul_overflow(out, a.AsInt(), &out)) return TooLarge();
    if (i > 64 && out == 0) break;
    if (i > 64 && a.AsInt() == 1) break;
    if (i > 64 && a.AsInt() == -1) return Value(b.AsInt() % 2 == 0 ? int64_t{1} : int64_t{-1});
    DUNNOCK_TRY_STATUS(limits.Charge(1));
  }
  return Value(out);
}

}  // namespace

Result<Value> Binary(Limits& limits, const std::string& op, const Value& a, const Value& b) {
  if (op == "~") {
    DUNNOCK_TRY(Text text, limits.Print(a));
    DUNNOCK_TRY(const Text right, limits.Print(b));
    text.Append(right);
    DUNNOCK_TRY_STATUS(limits.CheckSize(text));
    return Value(std::move(text));
  }
  if (op == "+" && a.Is(Kind::kString) && b.Is(Kind::kString)) return Joined(limits, a, b);
  if (op == "+" && a.kind() == b.kind() && (a.Is(Kind::kList) || a.Is(Kind::kTuple))) {
    DUNNOCK_TRY_STATUS(limits.Charge(a.AsList().size() + b.AsList().size()));
    List out = a.AsList();
    out.insert(out.end(), b.AsList().begin(), b.AsList().end());
    return Value::OfList(std::move(out), a.kind());
  }
  if (op == "*" && (a.Is(Kind::kString) || a.IsSequence() || b.Is(Kind::kString) || b.IsSequence()))
    return Repeat(limits, a, b);
  if (op == "%" && a.Is(Kind::kString)) return FormatPercent(limits, a.AsText(), b);
  if (!a.IsNumber() || !b.IsNumber())
    return Invalid(Str("\"", op, "\" of ", a.TypeName(), " and ", b.TypeName()));
  if (op == "/" || op == "//" || op == "%") return Divided(op, a, b);
  if (op == "**") return Power(limits, a, b);
  if (a.Is(Kind::kFloat) || b.Is(Kind::kFloat))
    return Value(op == "+"   ? a.AsFloat() + b.AsFloat()
                 : op == "-" ? a.AsFloat() - b.AsFloat()
                             : a.AsFloat() * b.AsFloat());
  int64_t out = 0;
  const bool overflow = op == "+"   ? __builtin_add_overflow(a.AsInt(), b.AsInt(), &out)
                        : op == "-" ? __builtin_sub_overflow(a.AsInt(), b.AsInt(), &out)
                                    : __builtin_mul_overflow(a.AsInt(), b.AsInt(), &out);
  if (overflow) return TooLarge();
  return Value(out);
}

Result<Value> Unary(const std::string& op, const Value& v) {
  if (op == "not") return Value(!v.Truth());
  if (!v.IsNumber()) return WrongType("\"" + op + "\"", v, "a number");
  if (v.Is(Kind::kFloat)) return Value(op == "-" ? -v.AsFloat() : v.AsFloat());
  if (op == "-" && v.AsInt() == INT64_MIN) return TooLarge();
  return Value(op == "-" ? -v.AsInt() : v.AsInt());
}

Result<bool> Holds(Limits& limits, const Value& a, const std::string& op, const Value& b) {
  if (op == "not in") {
    DUNNOCK_TRY(const bool in, ApplyTest(limits, "in", {{a, b}, {}}));
    return !in;
  }
  return ApplyTest(limits, op, {{a, b}, {}});
}

Result<Value> Slice(Limits& limits, const Value& object, const Value* const (&parts)[3]) {
  if (object.Is(Kind::kUndefined))
    return Invalid(Str("\"", object.Name(), "\" is undefined and has no items"));
  if (!object.IsSequence() && !object.Is(Kind::kString))
    return WrongType("[:]", object, "a list or a string");
  std::optional<int64_t> part[3];
  for (size_t i = 0; i < 3; ++i) {
    if (parts[i] == nullptr || parts[i]->Is(Kind::kNone)) continue;
    if (!parts[i]->IsInteger()) return WrongType("[:]", *parts[i], "integers");
    part[i] = parts[i]->AsInt();
  }
  DUNNOCK_TRY(const List items, Elements(object));
  DUNNOCK_TRY_STATUS(limits.Charge(1 + items.size() / 4));
  const auto n = static_cast<int64_t>(items.size());
  const int64_t step = part[2].value_or(1);
  if (step == 0) return Invalid("a slice's step cannot be 0");
  const auto bound = [&](std::optional<int64_t> p, int64_t fallback) {
    if (!p) return fallback;
    const int64_t v = *p < 0 ? (*p < -n ? -1 : *p + n) : *p;
    return step > 0 ? std::clamp<int64_t>(v, 0, n) : std::clamp<int64_t>(v, -1, n - 1);
  };
  const int64_t begin = bound(part[0], step > 0 ? 0 : n - 1),
                end = bound(part[1], step > 0 ? n : -1);
  List out;
  for (int64_t i = begin; step > 0 ? i < end : i > end;) {
    out.push_back(items[static_cast<size_t>(i)]);
    if (__builtin_add_overflow(i, step, &i)) break;
  }
  if (!object.Is(Kind::kString)) return Value::OfList(std::move(out), object.kind());
  Text text;
  for (const Value& v : out) text.Append(v.AsText());
  return object.markup() ? Value::Markup(std::move(text)) : Value(std::move(text));
}

}  // namespace dunnock::jinja
