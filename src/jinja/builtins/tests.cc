// Tests: the words that may follow "is".

#include <algorithm>
#include <cmath>

#include "base/str.h"
#include "jinja/builtins/builtins.h"
#include "jinja/builtins/case.h"

namespace dunnock::jinja {
namespace {

using Call = Result<bool> (*)(const Value& v, const Value& other);
struct NamedTest {
  std::string_view name;
  int arguments;
  Call call;
};

template <bool (*kHolds)(int order)>
Result<bool> Ordered(const Value& v, const Value& other) {
  DUNNOCK_TRY(const int order, Compare(v, other));
  return kHolds(order);
}
constexpr Call kLess = Ordered<[](int o) { return o < 0; }>;
constexpr Call kLessOrEqual = Ordered<[](int o) { return o <= 0; }>;
constexpr Call kGreater = Ordered<[](int o) { return 0 < o; }>;
constexpr Call kGreaterOrEqual = Ordered<[](int o) { return 0 <= o; }>;
constexpr Call kEqual = [](const Value& v, const Value& o) -> Result<bool> { return Equal(v, o); };
constexpr Call kUnequal = [](const Value& v, const Value& o) -> Result<bool> {
  return !Equal(v, o);
};

Result<bool> In(const Value& v, const Value& in) {
  if (in.Is(Kind::kString)) {
    if (!v.Is(Kind::kString)) return WrongType("\"in\" a string", v, "a string");
    return in.AsText().str().find(v.AsText().str()) != std::string::npos;
  }
  if (in.Is(Kind::kDict) && !IsHashable(v)) return WrongType("\"in\" a dict", v, "a key");
  if (in.Is(Kind::kDict))
    return std::any_of(in.AsDict().begin(), in.AsDict().end(),
                       [&](const auto& item) { return Equal(item.first, v); });
  DUNNOCK_TRY(const List items, Elements(in));
  return std::any_of(items.begin(), items.end(), [&](const Value& i) { return Equal(i, v); });
}

Result<bool> Divisible(const Value& v, const Value& by) {
  if (!v.IsNumber() || !by.IsNumber() || by.AsFloat() == 0.0)
    return Invalid("divisibleby: expected numbers, and not zero to divide by");
  if (v.Is(Kind::kFloat) || by.Is(Kind::kFloat)) return std::fmod(v.AsFloat(), by.AsFloat()) == 0.0;
  return by.AsInt() == -1 || v.AsInt() % by.AsInt() == 0;
}

template <Kind kKind>
Result<bool> Is(const Value& v, const Value&) {
  return v.Is(kKind);
}

template <int kRest>
Result<bool> Parity(const Value& v, const Value&) {
  if (!v.IsNumber()) return WrongType("odd, even", v, "a number");
  if (v.Is(Kind::kFloat)) return v.AsFloat() - 2 * std::floor(v.AsFloat() / 2) == kRest;
  return (v.AsInt() & 1) == kRest;
}

constexpr NamedTest kTests[] = {
    {"!=", 1, kUnequal},
    {"<", 1, kLess},
    {"<=", 1, kLessOrEqual},
    {"==", 1, kEqual},
    {">", 1, kGreater},
    {">=", 1, kGreaterOrEqual},
    {"boolean", 0, Is<Kind::kBool>},
    {"callable", 0, [](const Value& v, const Value&) -> Result<bool> { return v.IsCallable(); }},
    {"defined", 0,
     [](const Value& v, const Value&) -> Result<bool> { return !v.Is(Kind::kUndefined); }},
    {"divisibleby", 1, Divisible},
    {"eq", 1, kEqual},
    {"equalto", 1, kEqual},
    {"escaped", 0, [](const Value& v, const Value&) -> Result<bool> { return v.markup(); }},
    {"even", 0, Parity<0>},
    {"false", 0,
     [](const Value& v, const Value&) -> Result<bool> { return v.Is(Kind::kBool) && !v.Truth(); }},
    {"filter", 0,
     [](const Value& v, const Value&) -> Result<bool> {
       return v.Is(Kind::kString) && IsFilter(v.AsText().str());
     }},
    {"float", 0, Is<Kind::kFloat>},
    {"ge", 1, kGreaterOrEqual},
    {"greaterthan", 1, kGreater},
    {"gt", 1, kGreater},
    {"in", 1, In},
    {"integer", 0, Is<Kind::kInt>},
    {"iterable", 0,
     [](const Value& v, const Value&) -> Result<bool> {
       return v.IsSequence() || v.IsView() || v.Is(Kind::kGenerator) || v.Is(Kind::kDict) ||
              v.Is(Kind::kString) || v.Is(Kind::kUndefined);
     }},
    {"le", 1, kLessOrEqual},
    {"lessthan", 1, kLess},
    {"lower", 0,
     [](const Value& v, const Value&) -> Result<bool> { return IsLowerCase(v.Printed().str()); }},
    {"lt", 1, kLess},
    {"mapping", 0, Is<Kind::kDict>},
    {"ne", 1, kUnequal},
    {"none", 0, Is<Kind::kNone>},
    {"number", 0, [](const Value& v, const Value&) -> Result<bool> { return v.IsNumber(); }},
    {"odd", 0, Parity<1>},
    {"sameas", 1, [](const Value& v, const Value& o) -> Result<bool> { return v.SameAs(o); }},
    {"sequence", 0,
     [](const Value& v, const Value&) -> Result<bool> {
       return v.IsSequence() || v.Is(Kind::kDict) || v.Is(Kind::kString) || v.Is(Kind::kUndefined);
     }},
    {"string", 0, Is<Kind::kString>},
    {"test", 0,
     [](const Value& v, const Value&) -> Result<bool> {
       return v.Is(Kind::kString) && IsTest(v.AsText().str());
     }},
    {"true", 0,
     [](const Value& v, const Value&) -> Result<bool> { return v.Is(Kind::kBool) && v.Truth(); }},
    {"undefined", 0, Is<Kind::kUndefined>},
    {"upper", 0,
     [](const Value& v, const Value&) -> Result<bool> { return IsUpperCase(v.Printed().str()); }},
};

const NamedTest* FindTest(const std::string& name) {
  const auto* it = std::find_if(std::begin(kTests), std::end(kTests),
                                [&](const NamedTest& t) { return t.name == name; });
  return it == std::end(kTests) ? nullptr : it;
}

}  // namespace

bool IsTest(const std::string& name) { return FindTest(name) != nullptr; }

Result<bool> ApplyTest(Limits& limits, const std::string& name, const Arguments& a) {
  const NamedTest* test = FindTest(name);
  if (test == nullptr) return Unsupported(Str("the test \"", name, "\" is not known here"));
  for (const Value& v : a.positional)
    DUNNOCK_TRY_STATUS(limits.Charge(v.Is(Kind::kString) ? 1 + v.AsText().size() / 16 : 0));
  const size_t given = a.positional.size() - 1 + a.named.size();
  if (given != static_cast<size_t>(test->arguments))
    return Invalid(
        Str("test \"", name, "\": expected ", test->arguments, " arguments, found ", given));
  static const Value kNothing;
  const Value& other = a.positional.size() > 1 ? a.positional[1]
                       : a.named.empty()       ? kNothing
                                               : a.named[0].second;
  // These walk both sides.
  if (test->arguments == 1 && name != "sameas")
    DUNNOCK_TRY_STATUS(limits.Charge(std::min(a.positional[0].weight(), other.weight())));
  return test->call(a.positional[0], other);
}

}  // namespace dunnock::jinja
