// Functions that every template sees.

#include <cmath>
#include <ctime>

#include "base/str.h"
#include "jinja/builtins/builtins.h"
#include "jinja/print.h"

namespace dunnock::jinja {
namespace {

Result<Value> RaiseException(Limits&, Arguments& a) {
  const Value* message = a.Find(0, "message");
  if (message == nullptr) return Invalid("raise_exception: expected a message");
  return Invalid(message->weight() < 10'000 ? message->Printed().str() : "raise_exception");
}

Result<Value> Range(Limits& limits, Arguments& a) {
  int64_t v[3] = {0, 0, 1};
  const size_t n = a.positional.size();
  if (n < 1 || n > 3) return Invalid("range: expected one to three numbers");
  for (size_t i = 0; i < n; ++i) {
    if (!a.positional[i].IsInteger()) return WrongType("range", a.positional[i], "an integer");
    v[n == 1 ? 1 : i] = a.positional[i].AsInt();
  }
  if (v[2] == 0) return Invalid("range: the step is 0");
  const double count = std::ceil((static_cast<double>(v[1]) - static_cast<double>(v[0])) /
                                 static_cast<double>(v[2]));
  if (count > 100'000) return Fail(ErrorCode::kLimit, "range: more than 100000 numbers");
  DUNNOCK_TRY_STATUS(limits.Charge(count > 0 ? static_cast<size_t>(count) : 0));
  List out;
  for (int64_t i = 0; i < static_cast<int64_t>(count); ++i) {
    out.push_back(Value(static_cast<int64_t>(
        static_cast<uint64_t>(v[0]) + static_cast<uint64_t>(i) * static_cast<uint64_t>(v[2]))));
  }
  return Value::OfList(std::move(out), Kind::kRange);
}

Result<Dict> NamedItems(const std::string& name, const Arguments& a) {
  Dict items;
  if (!a.positional.empty()) {
    if (a.positional[0].Is(Kind::kDict)) {
      items = a.positional[0].AsDict();
    } else {
      DUNNOCK_TRY(const List pairs, Elements(a.positional[0]));
      for (const Value& pair : pairs) {
        DUNNOCK_TRY(const List two, Elements(pair));
        if (two.size() != 2) return Invalid(Str(name, ": expected pairs"));
        SetItem(items, two[0], two[1]);
      }
    }
  }
  for (const auto& [key, value] : a.named) SetItem(items, Value::Trusted(key), value);
  return items;
}

Result<Value> MakeDict(Limits& limits, Arguments& a) {
  DUNNOCK_TRY(Dict items, NamedItems("dict", a));
  DUNNOCK_TRY_STATUS(limits.Charge(items.size() * items.size() / 16));
  return Value::OfDict(std::move(items));
}

Result<Value> MakeNamespace(Limits& limits, Arguments& a) {
  DUNNOCK_TRY(Dict items, NamedItems("namespace", a));
  DUNNOCK_TRY_STATUS(limits.Charge(items.size() * items.size() / 16));
  for (const auto& [key, value] : items) {
    if (key.Is(Kind::kString) && key.AsText().str().starts_with("_"))
      return Invalid(Str("namespace: \"", key.AsText().str(), "\" begins with an underscore"));
  }
  return Value::OfDict(std::move(items), Kind::kNamespace);
}

Result<Value> MakeJoiner(Limits&, Arguments& a) {
  const Value* given = a.Find(0, "sep");
  return Value::OfFunction([separator = given == nullptr ? Value::Trusted(", ") : *given,
                            used = std::make_shared<bool>(false)](Arguments&) -> Result<Value> {
    return std::exchange(*used, true) ? separator : Value::Trusted("");
  });
}

class Cycler : public Object, public std::enable_shared_from_this<Cycler> {
 public:
  explicit Cycler(List items) : items_(std::move(items)) {}
  Value Attribute(const std::string& name) override {
    if (name == "current") return items_[at_];
    if (name == "next" || name == "reset") {
      return Value::OfFunction([self = shared_from_this(), name](Arguments&) -> Result<Value> {
        if (name == "reset") {
          self->at_ = 0;
          return Value(None{});
        }
        const Value now = self->items_[self->at_];
        self->at_ = (self->at_ + 1) % self->items_.size();
        return now;
      });
    }
    return Value::Missing(name);
  }
  std::string Shown() const override { return "<Cycler>"; }

 private:
  List items_;
  size_t at_ = 0;
};

Result<Value> MakeCycler(Limits&, Arguments& a) {
  if (a.positional.empty()) return Invalid("cycler: expected values");
  return Value::OfObject(std::make_shared<Cycler>(a.positional));
}

Result<Value> StrftimeNow(Limits& limits, Arguments& a) {
  const Value* format = a.Find(0, "format");
  if (format == nullptr || !format->Is(Kind::kString))
    return WrongType("strftime_now", format == nullptr ? Value() : *format, "a string");
  std::tm time{};
  if (limits.now_unix) {
    const auto now = static_cast<std::time_t>(*limits.now_unix);
    gmtime_r(&now, &time);
  } else {
    const std::time_t now = std::time(nullptr);
    localtime_r(&now, &time);
  }
  const std::string& text = format->AsText().str();
  if (text.empty()) return Value::Trusted("");
  if (text.size() > 1000) return Fail(ErrorCode::kLimit, "strftime_now: more than 1000 bytes");
  std::string buffer(1 << 16, '\0');
  buffer.resize(std::strftime(buffer.data(), buffer.size(), text.c_str(), &time));
  return Value(Text(buffer, format->Trusted()));
}

using Global = Result<Value> (*)(Limits& limits, Arguments& a);
constexpr std::pair<std::string_view, Global> kGlobals[] = {
    {"raise_exception", RaiseException}, {"range", Range},       {"dict", MakeDict},
    {"namespace", MakeNamespace},        {"joiner", MakeJoiner}, {"cycler", MakeCycler},
    {"strftime_now", StrftimeNow},
};

}  // namespace

Value FindGlobal(Limits& limits, const std::string& name) {
  for (const auto& [global, call] : kGlobals) {
    if (global == name)
      return Value::OfFunction([&limits, call](Arguments& a) { return call(limits, a); });
  }
  return Value::Missing(name);
}

}  // namespace dunnock::jinja
