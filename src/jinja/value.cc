#include "jinja/value.h"

#include <algorithm>
#include <cmath>

#include "base/str.h"
#include "base/text/utf8.h"
#include "jinja/print.h"

namespace dunnock::jinja {

bool Text::trusted() const {
  return std::all_of(runs_.begin(), runs_.end(), [](const Run& r) { return r.trusted; });
}

void Text::Append(const Text& other) {
  const size_t base = text_.size();
  text_ += other.text_;
  for (const Run& run : other.runs_) {
    if (!runs_.empty() && runs_.back().trusted == run.trusted) {
      runs_.back().end = base + run.end;
    } else {
      runs_.push_back({base + run.end, run.trusted});
    }
  }
}

Text Text::Slice(size_t begin, size_t end) const {
  Text out;
  end = std::min(end, text_.size());
  if (begin >= end) return out;
  out.text_ = text_.substr(begin, end - begin);
  auto run = std::upper_bound(runs_.begin(), runs_.end(), begin,
                              [](size_t at, const Run& r) { return at < r.end; });
  for (; run != runs_.end(); ++run) {
    out.runs_.push_back({std::min(run->end, end) - begin, run->trusted});
    if (run->end >= end) break;
  }
  return out;
}

const Value* Arguments::Find(size_t position, std::string_view name) const {
  if (position < positional.size()) return &positional[position];
  for (const auto& [key, value] : named) {
    if (key == name) return &value;
  }
  return nullptr;
}

Result<Value> Object::Call(Arguments&) { return Invalid(Str(Shown(), " cannot be called")); }

Value Value::Missing(std::string name) {
  Value v;
  v.data_ = Undefined{std::move(name)};
  return v;
}
Value Value::Markup(Text text) {
  Value v(std::move(text));
  v.markup_ = true;
  return v;
}
Value Value::OfBody(Body body, Kind kind) {
  const auto add = [&](const Value& v) {
    body.weight += v.weight();
    body.weight = std::min<size_t>(body.weight, 1 << 30);
    body.depth = std::max(body.depth, v.depth() + 1);
    body.trusted = body.trusted && v.Trusted() && !v.Is(Kind::kNamespace);
    body.constant = body.constant && v.constant();
  };
  for (const Value& v : body.list) add(v);
  for (const auto& [key, value] : body.dict) {
    add(key);
    add(value);
  }
  Value v;
  v.data_ = std::make_shared<Body>(std::move(body));
  v.shape_ = kind;
  return v;
}
Value Value::OfList(List items, Kind kind) {
  Body body;
  body.list = std::move(items);
  return OfBody(std::move(body), kind);
}
Value Value::OfDict(Dict items, Kind kind) {
  Body body;
  body.dict = std::move(items);
  return OfBody(std::move(body), kind);
}
Value Value::OfFunction(Function f) {
  Value v;
  v.data_ = std::make_shared<Function>(std::move(f));
  return v;
}
Value Value::OfObject(std::shared_ptr<Object> object) {
  Value v;
  v.data_ = std::move(object);
  return v;
}

Value Value::FromJson(const OrderedJson& json, bool trusted) {
  if (json.is_null()) return None{};
  if (json.is_boolean()) return json.get<bool>();
  if (json.is_number_integer()) {
    if (json.is_number_unsigned() && json.get<uint64_t>() > INT64_MAX) return json.get<double>();
    return json.get<int64_t>();
  }
  if (json.is_number()) return json.get<double>();
  if (json.is_string())
    return Text(ReplaceInvalidUtf8(json.get_ref<const std::string&>()), trusted);
  if (json.is_array()) {
    List items;
    for (const OrderedJson& item : json) items.push_back(FromJson(item, trusted));
    return OfList(std::move(items));
  }
  Dict items;
  for (const auto& [key, value] : json.items())
    items.emplace_back(Text(ReplaceInvalidUtf8(key), trusted), FromJson(value, trusted));
  return OfDict(std::move(items));
}

Kind Value::kind() const {
  static constexpr Kind kKinds[] = {Kind::kUndefined, Kind::kNone,     Kind::kBool,
                                    Kind::kInt,       Kind::kFloat,    Kind::kString,
                                    Kind::kUndefined, Kind::kFunction, Kind::kObject};
  return std::holds_alternative<BodyPtr>(data_) ? shape_ : kKinds[data_.index()];
}

bool Value::IsCallable() const {
  return Is(Kind::kFunction) || Is(Kind::kUndefined) ||
         (Is(Kind::kObject) && AsObject().callable());
}

int64_t Value::AsInt() const {
  if (const bool* b = std::get_if<bool>(&data_)) return *b ? 1 : 0;
  if (const int64_t* i = std::get_if<int64_t>(&data_)) return *i;
  const double d = std::get<double>(data_);
  return std::isfinite(d) && std::fabs(d) < 9e18 ? static_cast<int64_t>(d) : 0;
}

double Value::AsFloat() const {
  if (const double* d = std::get_if<double>(&data_)) return *d;
  return static_cast<double>(AsInt());
}

List Value::TakeList() const {
  const BodyPtr& body = std::get<BodyPtr>(data_);
  return shape_ == Kind::kGenerator ? std::exchange(body->list, {}) : body->list;
}

bool Value::SetAttribute(const std::string& name, const Value& value) const {
  if (!value.constant()) return false;
  SetItem(std::get<BodyPtr>(data_)->dict, Value::Trusted(name), value);
  return true;
}

bool Value::Truth() const {
  switch (kind()) {
    case Kind::kUndefined:
    case Kind::kNone:
      return false;
    case Kind::kBool:
    case Kind::kInt:
      return AsInt() != 0;
    case Kind::kFloat:
      return AsFloat() != 0.0;
    case Kind::kString:
      return AsText().size() > 0;
    case Kind::kList:
    case Kind::kTuple:
    case Kind::kRange:
    case Kind::kDictItems:
    case Kind::kDictKeys:
    case Kind::kDictValues:
      return !AsList().empty();
    case Kind::kDict:
      return !AsDict().empty();
    default:
      return true;
  }
}

bool Value::Trusted() const {
  if (Is(Kind::kString)) return AsText().trusted();
  if (Is(Kind::kNamespace))
    return std::all_of(AsDict().begin(), AsDict().end(),
                       [](const auto& item) { return item.second.Trusted(); });
  const auto* body = std::get_if<BodyPtr>(&data_);
  return body == nullptr || (*body)->trusted;
}

size_t Value::weight() const {
  if (Is(Kind::kString)) return 1 + AsText().size() / 64;
  if (Is(Kind::kNamespace)) return 1;
  const auto* body = std::get_if<BodyPtr>(&data_);
  return body == nullptr ? 1 : (*body)->weight;
}

bool Value::constant() const {
  const auto* body = std::get_if<BodyPtr>(&data_);
  return !Is(Kind::kNamespace) && !Is(Kind::kFunction) && !Is(Kind::kObject) &&
         (body == nullptr || (*body)->constant);
}

int Value::depth() const {
  const auto* body = std::get_if<BodyPtr>(&data_);
  return body == nullptr ? 0 : (*body)->depth;
}

bool Value::SameAs(const Value& other) const {
  if (kind() != other.kind()) return false;
  if (const auto* body = std::get_if<BodyPtr>(&data_))
    return *body == std::get<BodyPtr>(other.data_);
  return !Is(Kind::kFunction) && !Is(Kind::kObject) && Equal(*this, other);
}

Text Value::Printed() const {
  if (Is(Kind::kString)) return AsText();
  if (Is(Kind::kUndefined)) return Text();
  return Text(Repr(*this), Trusted());
}

const Value* Value::Find(std::string_view key) const {
  for (const auto& [k, v] : AsDict()) {
    if (k.Is(Kind::kString) && k.AsText().str() == key) return &v;
  }
  return nullptr;
}

std::string Value::TypeName() const {
  static constexpr const char* kNames[] = {
      "undefined",   "None",    "a boolean",   "an integer", "a float",   "a string",
      "a list",      "a tuple", "a range",     "dict items", "dict keys", "dict values",
      "a generator", "a dict",  "a namespace", "a function", "an object"};
  return kNames[static_cast<int>(kind())];
}

bool Equal(const Value& a, const Value& b) {
  if (a.IsNumber() && b.IsNumber())
    return a.Is(Kind::kFloat) || b.Is(Kind::kFloat) ? a.AsFloat() == b.AsFloat()
                                                    : a.AsInt() == b.AsInt();
  if (a.kind() != b.kind()) return false;
  switch (a.kind()) {
    case Kind::kUndefined:
    case Kind::kNone:
      return true;
    case Kind::kString:
      return a.AsText().str() == b.AsText().str();
    case Kind::kList:
    case Kind::kTuple:
    case Kind::kRange:
    case Kind::kDictItems:
    case Kind::kDictKeys:
      return a.SameAs(b) || std::equal(a.AsList().begin(), a.AsList().end(), b.AsList().begin(),
                                       b.AsList().end(), Equal);
    case Kind::kDict:
      if (a.SameAs(b)) return true;
      return a.AsDict().size() == b.AsDict().size() &&
             std::all_of(a.AsDict().begin(), a.AsDict().end(), [&](const auto& item) {
               return std::any_of(b.AsDict().begin(), b.AsDict().end(), [&](const auto& other) {
                 return Equal(item.first, other.first) && Equal(item.second, other.second);
               });
             });
    case Kind::kGenerator:
    case Kind::kDictValues:
    case Kind::kNamespace:
      return a.SameAs(b);
    default:
      return false;
  }
}

Result<int> Compare(const Value& a, const Value& b) {
  const auto order = [](const auto& x, const auto& y) { return x < y ? -1 : x > y ? 1 : 0; };
  if (a.IsNumber() && b.IsNumber()) {
    if (a.Is(Kind::kFloat) || b.Is(Kind::kFloat)) return order(a.AsFloat(), b.AsFloat());
    return order(a.AsInt(), b.AsInt());
  }
  if (a.Is(Kind::kString) && b.Is(Kind::kString)) return order(a.AsText().str(), b.AsText().str());
  if (a.kind() == b.kind() && (a.Is(Kind::kList) || a.Is(Kind::kTuple))) {
    const List &x = a.AsList(), &y = b.AsList();
    for (size_t i = 0; i < std::min(x.size(), y.size()); ++i) {
      if (!Equal(x[i], y[i])) return Compare(x[i], y[i]);
    }
    return order(x.size(), y.size());
  }
  return Invalid(Str("cannot order ", a.TypeName(), " and ", b.TypeName()));
}

// A merge sort: it stays within its bounds whatever the comparison says (NaN has no place).
Result<std::vector<size_t>> SortedOrder(const List& keys, bool descending) {
  std::vector<size_t> order(keys.size()), merged(keys.size());
  for (size_t i = 0; i < order.size(); ++i) order[i] = i;
  for (size_t run = 1; run < order.size(); run *= 2) {
    for (size_t begin = 0; begin < order.size(); begin += 2 * run) {
      const size_t middle = std::min(begin + run, order.size()),
                   end = std::min(begin + 2 * run, order.size());
      size_t left = begin, right = middle;
      for (size_t out = begin; out < end; ++out) {
        bool take_right = left == middle;
        if (left < middle && right < end) {
          DUNNOCK_TRY(const int c, Compare(keys[order[right]], keys[order[left]]));
          take_right = descending ? c > 0 : c < 0;
        }
        merged[out] = order[take_right ? right++ : left++];
      }
    }
    order.swap(merged);
  }
  return order;
}

void SetItem(Dict& dict, Value key, Value value) {
  for (auto& [k, v] : dict) {
    if (!Equal(k, key)) continue;
    v = std::move(value);
    return;
  }
  dict.emplace_back(std::move(key), std::move(value));
}

}  // namespace dunnock::jinja
