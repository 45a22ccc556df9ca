// Filters of values of any type, and the look-up of all filters by name.

#include "jinja/builtins/filters.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <cstdlib>

#include "base/str.h"
#include "jinja/builtins/case.h"
#include "jinja/print.h"

namespace dunnock::jinja {
namespace {

Result<Value> Default(Limits&, const Arguments& a) {
  const Value& v = a.positional[0];
  const Value* fallback = a.Find(1, "default_value");
  const bool missing =
      v.Is(Kind::kUndefined) || (FlagArgument(a.Find(2, "boolean"), false) && !v.Truth());
  return !missing ? v : fallback == nullptr ? Value(Text()) : *fallback;
}

Result<Value> Length(Limits&, const Arguments& a) {
  const Value& v = a.positional[0];
  if (v.Is(Kind::kString)) return Value(static_cast<int64_t>(CountCharacters(v.AsText().str())));
  if (v.Is(Kind::kUndefined)) return Value(int64_t{0});
  if (v.Is(Kind::kDict)) return Value(static_cast<int64_t>(v.AsDict().size()));
  if (!v.IsSequence() && !v.IsView()) return WrongType("length", v, "a list, a dict or a string");
  return Value(static_cast<int64_t>(v.AsList().size()));
}

Result<Value> JsonFilter(Limits& limits, const Arguments& a) {
  JsonStyle style;
  style.ascii = FlagArgument(a.Find(1, "ensure_ascii"), false);
  if (const Value* indent = a.Find(2, "indent"); indent != nullptr && !indent->Is(Kind::kNone)) {
    style.lines = true;
    style.item = ",";
    if (indent->Is(Kind::kString)) {
      style.indent = indent->AsText().str();
    } else {
      DUNNOCK_TRY(const int64_t n, IntegerArgument("tojson", indent, 0));
      if (n > 100) return Fail(ErrorCode::kLimit, "tojson: indented by more than 100");
      style.indent = std::string(static_cast<size_t>(std::max<int64_t>(n, 0)), ' ');
    }
    if (style.indent.size() > 100)
      return Fail(ErrorCode::kLimit, "tojson: indented by more than 100");
  }
  if (const Value* given = a.Find(3, "separators"); given != nullptr && !given->Is(Kind::kNone)) {
    DUNNOCK_TRY(const List two, Elements(*given));
    if (two.size() != 2 || !two[0].Is(Kind::kString) || !two[1].Is(Kind::kString))
      return Invalid("tojson: separators are two strings");
    style.item = two[0].AsText().str();
    style.key = two[1].AsText().str();
  }
  style.sort_keys = FlagArgument(a.Find(4, "sort_keys"), false);
  const Value& v = a.positional[0];
  DUNNOCK_TRY_STATUS(limits.Charge(v.weight()));
  DUNNOCK_TRY(std::string text, ToJson(v, style, limits.max_bytes));
  DUNNOCK_TRY_STATUS(limits.Charge(text.size() / 16));
  return Value(Text(std::move(text), v.Trusted()));
}

Result<Value> Items(Limits& limits, const Arguments& a) {
  const Value& v = a.positional[0];
  if (v.Is(Kind::kUndefined)) return Value::OfList({}, Kind::kGenerator);
  if (!v.Is(Kind::kDict)) return WrongType("items", v, "a dict");
  DUNNOCK_TRY_STATUS(limits.Charge(v.AsDict().size()));
  List out;
  for (const auto& [k, value] : v.AsDict()) out.push_back(Value::OfTuple({k, value}));
  return Value::OfList(std::move(out), Kind::kGenerator);
}

Result<Value> DictSort(Limits& limits, const Arguments& a) {
  const Value& v = a.positional[0];
  if (!v.Is(Kind::kDict)) return WrongType("dictsort", v, "a dict");
  const bool exact = FlagArgument(a.Find(1, "case_sensitive"), false);
  const Value* by = a.Find(2, "by");
  const std::string what = by == nullptr || !by->Is(Kind::kString) ? "key" : by->AsText().str();
  if (what != "key" && what != "value") return Invalid("dictsort: sorts by \"key\" or \"value\"");
  DUNNOCK_TRY_STATUS(limits.Charge(2 * v.weight()));
  List keys;
  for (const auto& [key, value] : v.AsDict()) {
    const Value& k = what == "value" ? value : key;
    keys.push_back(!exact && k.Is(Kind::kString) ? Value::Trusted(LowerCase(k.AsText().str())) : k);
  }
  DUNNOCK_TRY(const std::vector<size_t> order,
              SortedOrder(keys, FlagArgument(a.Find(3, "reverse"), false)));
  List out;
  for (const size_t i : order)
    out.push_back(Value::OfTuple({v.AsDict()[i].first, v.AsDict()[i].second}));
  return Value::OfList(std::move(out));
}

Result<Value> Attr(Limits& limits, const Arguments& a) {
  const Value* name = a.Find(1, "name");
  if (name == nullptr || !name->Is(Kind::kString)) return Invalid("attr: expected a name");
  const std::string& key = name->AsText().str();
  const Value& v = a.positional[0];
  if (v.Is(Kind::kUndefined))
    return Invalid(Str("\"", v.Name(), "\" is undefined and has no attribute"));
  if (v.Is(Kind::kNamespace)) return GetItem(v, *name);
  if (v.Is(Kind::kObject)) return v.AsObject().Attribute(key);
  const Value method = FindMethod(limits, v, key);
  return method.Is(Kind::kUndefined) ? Value::Missing(key) : method;
}

// The digits of a number without "_" between them; nullopt if an "_" is where Python allows none.
std::optional<std::string> WithoutUnderscores(const std::string& s) {
  std::string out;
  for (size_t i = 0; i < s.size(); ++i) {
    const auto alnum = [&](size_t j) {
      return j < s.size() && std::isalnum(static_cast<uint8_t>(s[j]));
    };
    if (s[i] != '_') {
      out += s[i];
    } else if (i == 0 || !alnum(i - 1) || !alnum(i + 1)) {
      return std::nullopt;
    }
  }
  return out;
}

std::optional<double> ParseFloat(const Text& given) {
  const auto digits = WithoutUnderscores(Strip(given, nullptr, true, true).str());
  if (!digits || digits->empty()) return std::nullopt;
  const std::string name = LowerCase(digits->substr(digits->find_first_of("+-") == 0 ? 1 : 0));
  const bool named = name == "nan" || name == "inf" || name == "infinity";
  if (!named && digits->find_first_not_of("+-0123456789.eE") != std::string::npos)
    return std::nullopt;
  char* end = nullptr;
  const double v = std::strtod(digits->c_str(), &end);
  return *end == 0 && end != digits->c_str() ? std::optional(v) : std::nullopt;
}

std::optional<int64_t> ParseInt(const Text& given, int64_t base, bool* too_large) {
  const auto cleaned = WithoutUnderscores(Strip(given, nullptr, true, true).str());
  if (!cleaned || cleaned->empty() || base < 0 || base == 1 || base > 36) return std::nullopt;
  std::string s = LowerCase(*cleaned);
  const bool negative = s[0] == '-';
  if (s[0] == '-' || s[0] == '+') s.erase(0, 1);
  const int64_t named = s.starts_with("0x")   ? 16
                        : s.starts_with("0o") ? 8
                        : s.starts_with("0b") ? 2
                                              : 0;
  if (named != 0 && (base == 0 || base == named)) {
    s.erase(0, 2);
    if (base == 0) base = named;
  } else if (base == 0) {
    base = 10;
    if (s.size() > 1 && s[0] == '0' && s.find_first_not_of('0') != std::string::npos)
      return std::nullopt;
  }
  if (s.empty() || s[0] == '-' || s[0] == '+') return std::nullopt;
  if (negative) s.insert(s.begin(), '-');
  int64_t v = 0;
  const auto [end, error] =
      std::from_chars(s.data(), s.data() + s.size(), v, static_cast<int>(base));
  if (end != s.data() + s.size()) return std::nullopt;
  *too_large = error == std::errc::result_out_of_range;
  return v;
}

Result<Value> IntFilter(Limits&, const Arguments& a) {
  const Value& v = a.positional[0];
  const Value* fallback = a.Find(1, "default");
  DUNNOCK_TRY(const int64_t base, IntegerArgument("int", a.Find(2, "base"), 10));
  if (v.Is(Kind::kUndefined)) return Invalid(Str("\"", v.Name(), "\" is undefined"));
  std::optional<double> number;
  if (v.Is(Kind::kString)) {
    bool too_large = false;
    if (const auto whole = ParseInt(v.AsText(), base, &too_large)) {
      if (too_large) return Invalid("int: the number is too large");
      return Value(*whole);
    }
    number = ParseFloat(v.AsText());
  } else if (v.IsInteger()) {
    return Value(v.AsInt());
  } else if (v.Is(Kind::kFloat)) {
    number = v.AsFloat();
  }
  if (number && std::isfinite(*number)) {
    if (std::fabs(*number) >= 9.2e18) return Invalid("int: the number is too large");
    return Value(static_cast<int64_t>(*number));
  }
  if (v.Is(Kind::kFloat) && std::isinf(v.AsFloat())) return Invalid("int: the number is infinite");
  return fallback == nullptr ? Value(int64_t{0}) : *fallback;
}

Result<Value> FloatFilter(Limits&, const Arguments& a) {
  const Value& v = a.positional[0];
  if (v.Is(Kind::kUndefined)) return Invalid(Str("\"", v.Name(), "\" is undefined"));
  if (v.IsNumber()) return Value(v.AsFloat());
  const auto number = v.Is(Kind::kString) ? ParseFloat(v.AsText()) : std::nullopt;
  const Value* fallback = a.Find(1, "default");
  return number ? Value(*number) : fallback == nullptr ? Value(0.0) : *fallback;
}

Result<Value> Abs(Limits&, const Arguments& a) {
  const Value& v = a.positional[0];
  if (!v.IsNumber()) return WrongType("abs", v, "a number");
  if (v.Is(Kind::kFloat)) return Value(std::fabs(v.AsFloat()));
  if (v.AsInt() == INT64_MIN) return Invalid("abs: the result is too large");
  return Value(std::abs(v.AsInt()));
}

Result<Value> Round(Limits&, const Arguments& a) {
  const Value& v = a.positional[0];
  if (!v.IsNumber()) return WrongType("round", v, "a number");
  DUNNOCK_TRY(const int64_t precision, IntegerArgument("round", a.Find(1, "precision"), 0));
  const Value* given = a.Find(2, "method");
  const std::string method =
      given == nullptr || !given->Is(Kind::kString) ? "common" : given->AsText().str();
  if (method != "common" && method != "ceil" && method != "floor")
    return Invalid("round: the method is common, ceil or floor");
  if (precision < -300 || precision > 300)
    return Invalid("round: expected a precision from -300 to 300");
  if (method != "common") {
    const double scale = std::pow(10.0, static_cast<double>(precision)), x = v.AsFloat() * scale;
    if (!std::isfinite(x)) return Invalid("round: the number is not finite");
    return Value((method == "ceil" ? std::ceil(x) : std::floor(x)) / scale);
  }
  if (v.IsInteger()) {
    if (precision >= 0) return Value(v.AsInt());
    if (precision < -18) return Value(int64_t{0});
    int64_t unit = 1;
    for (int64_t i = 0; i < -precision; ++i) unit *= 10;
    int64_t rest = v.AsInt() % unit;
    if (rest < 0) rest += unit;
    int64_t down = 0;
    if (__builtin_sub_overflow(v.AsInt(), rest, &down))
      return Invalid("round: the result is too large");
    const bool up = rest > unit - rest || (rest == unit - rest && (down / unit) % 2 != 0);
    if (up && __builtin_add_overflow(down, unit, &down))
      return Invalid("round: the result is too large");
    return Value(down);
  }
  if (!std::isfinite(v.AsFloat())) return v;
  if (precision < 0) {
    const double unit = std::pow(10.0, static_cast<double>(-precision));
    return Value(std::nearbyint(v.AsFloat() / unit) * unit);
  }
  // Rounds to the nearest decimal number, based on the exact value of the binary one.
  char digits[700];
  std::snprintf(digits, sizeof digits, "%.*f", static_cast<int>(precision), v.AsFloat());
  return Value(std::strtod(digits, nullptr));
}

constexpr NamedFilter kFilters[] = {
    {"abs", 1, Abs},           {"attr", 2, Attr},       {"count", 1, Length},
    {"d", 3, Default},         {"default", 3, Default}, {"dictsort", 4, DictSort},
    {"float", 2, FloatFilter}, {"int", 3, IntFilter},   {"items", 1, Items},
    {"length", 1, Length},     {"round", 3, Round},     {"tojson", 5, JsonFilter},
};

const NamedFilter* FindFilter(const std::string& name) {
  for (const auto table : {ValueFilters(), TextFilters(), ListFilters()}) {
    for (const NamedFilter& f : table) {
      if (f.name == name) return &f;
    }
  }
  return nullptr;
}

}  // namespace

std::span<const NamedFilter> ValueFilters() { return kFilters; }
bool IsFilter(const std::string& name) { return FindFilter(name) != nullptr; }

Result<int64_t> IntegerArgument(const std::string& filter, const Value* v, int64_t fallback) {
  if (v == nullptr) return fallback;
  if (!v->IsInteger()) return WrongType(filter, *v, "an integer");
  return v->AsInt();
}

bool FlagArgument(const Value* v, bool fallback) { return v == nullptr ? fallback : v->Truth(); }

Result<Value> ApplyFilter(Limits& limits, const std::string& name, Arguments a) {
  const NamedFilter* filter = FindFilter(name);
  if (filter == nullptr) return Unsupported(Str("the filter \"", name, "\" is not known here"));
  const bool text = !a.positional.empty() && a.positional[0].Is(Kind::kString);
  DUNNOCK_TRY_STATUS(limits.Charge(1 + (text ? a.positional[0].AsText().size() / 16 : 0)));
  if (a.positional.size() + a.named.size() > filter->most_arguments)
    return Invalid(Str(name, ": expected at most ", filter->most_arguments - 1, " arguments"));
  return filter->call(limits, a);
}

}  // namespace dunnock::jinja
