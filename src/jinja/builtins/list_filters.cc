// Filters of lists.

#include <algorithm>

#include "base/str.h"
#include "jinja/builtins/case.h"
#include "jinja/builtins/filters.h"
#include "jinja/operators.h"

namespace dunnock::jinja {
namespace {

Value Generator(List items) { return Value::OfList(std::move(items), Kind::kGenerator); }

Result<List> Taken(Limits& limits, const Value& v) {
  DUNNOCK_TRY(List items, Elements(v));
  DUNNOCK_TRY_STATUS(limits.Charge(items.size()));
  return items;
}

Value FoldedCase(const Value& v) {
  return v.Is(Kind::kString) ? Value(Text(LowerCase(v.AsText().str()), v.AsText().trusted())) : v;
}

// The key by which an item is sorted, counted or added: itself, or an attribute of it.
struct KeyOf {
  const Value* attribute = nullptr;
  bool fold = false;
  const Value* fallback = nullptr;

  Result<Value> operator()(Limits& limits, const Value& item) const {
    Value key = item;
    if (attribute != nullptr) {
      DUNNOCK_TRY(key, GetPath(item, *attribute));
    }
    if (key.Is(Kind::kUndefined) && fallback != nullptr && !fallback->Is(Kind::kNone))
      key = *fallback;
    DUNNOCK_TRY_STATUS(limits.Charge(1 + key.weight() / 8));
    return fold ? FoldedCase(key) : key;
  }
};

Result<List> Keys(Limits& limits, const List& items, const KeyOf& key_of) {
  List keys;
  for (const Value& item : items) {
    DUNNOCK_TRY(Value key, key_of(limits, item));
    keys.push_back(std::move(key));
  }
  return keys;
}

Result<Value> ListFilter(Limits& limits, const Arguments& a) {
  DUNNOCK_TRY(List items, Taken(limits, a.positional[0]));
  return Value::OfList(std::move(items));
}

template <bool kFirst>
Result<Value> Edge(Limits& limits, const Arguments& a) {
  const Value& v = a.positional[0];
  if (!kFirst && v.Is(Kind::kGenerator)) return Invalid("last: a generator has no end to begin at");
  if (v.IsSequence() || v.IsView()) {
    if (!v.AsList().empty()) return kFirst ? v.AsList().front() : v.AsList().back();
  } else {
    DUNNOCK_TRY(const List items, Taken(limits, v));
    if (!items.empty()) return kFirst ? items.front() : items.back();
  }
  return Value::Missing(kFirst ? "the first item" : "the last item");
}

Result<Value> Reverse(Limits& limits, const Arguments& a) {
  DUNNOCK_TRY(List items, Taken(limits, a.positional[0]));
  std::reverse(items.begin(), items.end());
  if (a.positional[0].Is(Kind::kGenerator)) return Value::OfList(std::move(items));
  if (!a.positional[0].Is(Kind::kString)) return Generator(std::move(items));
  Text out;
  for (const Value& v : items) out.Append(v.AsText());
  return Value(out);
}

Result<Value> Join(Limits& limits, const Arguments& a) {
  DUNNOCK_TRY(const List items, Taken(limits, a.positional[0]));
  const Value *separator = a.Find(1, "d"), *attribute = a.Find(2, "attribute");
  if (attribute != nullptr && attribute->Is(Kind::kNone)) attribute = nullptr;
  Text between, out;
  if (separator != nullptr) {
    DUNNOCK_TRY(between, limits.Print(*separator));
  }
  for (size_t i = 0; i < items.size(); ++i) {
    DUNNOCK_TRY(const Value item, (KeyOf{attribute}(limits, items[i])));
    DUNNOCK_TRY(const Text text, limits.Print(item));
    if (i > 0) out.Append(between);
    out.Append(text);
    if (out.size() > limits.max_bytes) break;
  }
  DUNNOCK_TRY_STATUS(limits.CheckSize(out));
  return Value(out);
}

Result<Value> Map(Limits& limits, const Arguments& a) {
  if (!a.positional[0].Truth()) return Generator({});
  DUNNOCK_TRY(const List items, Taken(limits, a.positional[0]));
  List out;
  if (a.positional.size() == 1) {
    KeyOf key_of;
    for (const auto& [name, value] : a.named) {
      if (name == "attribute") {
        key_of.attribute = &value;
      } else if (name == "default") {
        key_of.fallback = &value;
      } else {
        return Invalid(Str("map: unexpected \"", name, "\""));
      }
    }
    if (key_of.attribute == nullptr) return Invalid("map: expected a filter's name or attribute=");
    DUNNOCK_TRY(out, Keys(limits, items, key_of));
    return Generator(std::move(out));
  }
  if (!a.positional[1].Is(Kind::kString))
    return WrongType("map", a.positional[1], "a filter's name");
  for (const Value& item : items) {
    Arguments inner{{item}, a.named};
    inner.positional.insert(inner.positional.end(), a.positional.begin() + 2, a.positional.end());
    DUNNOCK_TRY(Value v, ApplyFilter(limits, a.positional[1].AsText().str(), std::move(inner)));
    DUNNOCK_TRY_STATUS(limits.Charge(v.weight() / 8));
    out.push_back(std::move(v));
  }
  return Generator(std::move(out));
}

template <bool kKeep, bool kByAttribute>
Result<Value> Select(Limits& limits, const Arguments& a) {
  if (!a.positional[0].Truth()) return Generator({});
  DUNNOCK_TRY(const List items, Taken(limits, a.positional[0]));
  constexpr size_t kTest = kByAttribute ? 2 : 1;
  if (a.positional.size() < kTest) return Invalid("selectattr, rejectattr: expected an attribute");
  if (a.positional.size() > kTest && !a.positional[kTest].Is(Kind::kString))
    return WrongType("select", a.positional[kTest], "a test's name");
  List out;
  for (const Value& item : items) {
    const KeyOf key_of{kByAttribute ? &a.positional[1] : nullptr};
    DUNNOCK_TRY(const Value subject, key_of(limits, item));
    bool passes = subject.Truth();
    if (a.positional.size() > kTest) {
      Arguments inner{{subject}, a.named};
      inner.positional.insert(inner.positional.end(), a.positional.begin() + kTest + 1,
                              a.positional.end());
      DUNNOCK_TRY(passes, ApplyTest(limits, a.positional[kTest].AsText().str(), inner));
    }
    if (passes == kKeep) out.push_back(item);
  }
  return Generator(std::move(out));
}

Result<Value> Sort(Limits& limits, const Arguments& a) {
  DUNNOCK_TRY(const List items, Taken(limits, a.positional[0]));
  const bool fold = !FlagArgument(a.Find(2, "case_sensitive"), false);
  const Value* attribute = a.Find(3, "attribute");
  List keys;
  for (const Value& item : items) {
    List key;
    if (attribute == nullptr || !attribute->Is(Kind::kString)) {
      DUNNOCK_TRY(Value one, (KeyOf{attribute, fold}(limits, item)));
      key.push_back(std::move(one));
    } else {
      const std::string comma = ",";
      for (const Value& path : Split(attribute->AsText(), &comma, -1, false)) {
        DUNNOCK_TRY(Value one, (KeyOf{&path, fold}(limits, item)));
        key.push_back(std::move(one));
      }
    }
    keys.push_back(Value::OfList(std::move(key)));
    DUNNOCK_TRY_STATUS(limits.Charge(keys.back().weight()));
  }
  DUNNOCK_TRY(const std::vector<size_t> order,
              SortedOrder(keys, FlagArgument(a.Find(1, "reverse"), false)));
  List out;
  for (const size_t i : order) out.push_back(items[i]);
  return Value::OfList(std::move(out));
}

Result<Value> Unique(Limits& limits, const Arguments& a) {
  DUNNOCK_TRY(const List items, Taken(limits, a.positional[0]));
  const KeyOf key_of{a.Find(2, "attribute"), !FlagArgument(a.Find(1, "case_sensitive"), false)};
  List out, seen;
  for (const Value& item : items) {
    DUNNOCK_TRY(const Value key, key_of(limits, item));
    if (!IsHashable(key)) return WrongType("unique", key, "what can be a key");
    DUNNOCK_TRY_STATUS(limits.Charge(seen.size() * (1 + key.weight() / 8)));
    if (std::any_of(seen.begin(), seen.end(), [&](const Value& s) { return Equal(s, key); }))
      continue;
    seen.push_back(key);
    out.push_back(item);
  }
  return Generator(std::move(out));
}

template <bool kMax>
Result<Value> Extreme(Limits& limits, const Arguments& a) {
  DUNNOCK_TRY(const List items, Taken(limits, a.positional[0]));
  const KeyOf key_of{a.Find(2, "attribute"), !FlagArgument(a.Find(1, "case_sensitive"), false)};
  DUNNOCK_TRY(const List keys, Keys(limits, items, key_of));
  if (items.empty()) return Value::Missing("the least or greatest of nothing");
  size_t best = 0;
  for (size_t i = 1; i < items.size(); ++i) {
    DUNNOCK_TRY_STATUS(limits.Charge(keys[i].weight()));
    DUNNOCK_TRY(const int order, Compare(keys[i], keys[best]));
    if (kMax ? order > 0 : order < 0) best = i;
  }
  return items[best];
}

Result<Value> Sum(Limits& limits, const Arguments& a) {
  DUNNOCK_TRY(const List items, Taken(limits, a.positional[0]));
  const Value* attribute = a.Find(1, "attribute");
  if (attribute != nullptr && attribute->Is(Kind::kNone)) attribute = nullptr;
  const Value* start = a.Find(2, "start");
  Value total = start == nullptr ? Value(int64_t{0}) : *start;
  if (total.Is(Kind::kString)) return Invalid("sum: strings are joined, not added");
  for (const Value& item : items) {
    DUNNOCK_TRY(const Value v, (KeyOf{attribute}(limits, item)));
    DUNNOCK_TRY(total, Binary(limits, "+", total, v));
  }
  return total;
}

Result<Value> Batch(Limits& limits, const Arguments& a) {
  DUNNOCK_TRY(const List items, Taken(limits, a.positional[0]));
  DUNNOCK_TRY(const int64_t count, IntegerArgument("batch", a.Find(1, "linecount"), 0));
  if (count < 1) return Invalid("batch: expected a number above 0");
  const Value* fill = a.Find(2, "fill_with");
  const auto n = static_cast<size_t>(count);
  List out;
  for (size_t i = 0; i < items.size(); i += std::min(n, items.size() - i)) {
    const auto begin = items.begin() + static_cast<std::ptrdiff_t>(i);
    List row(begin, begin + static_cast<std::ptrdiff_t>(std::min(n, items.size() - i)));
    if (fill != nullptr && !fill->Is(Kind::kNone)) {
      if (n > 100'000) return Fail(ErrorCode::kLimit, "batch: more than 100000 in a row");
      DUNNOCK_TRY_STATUS(limits.Charge(n));
      row.resize(n, *fill);
    }
    out.push_back(Value::OfList(std::move(row)));
  }
  return Generator(std::move(out));
}

Result<Value> SliceFilter(Limits& limits, const Arguments& a) {
  DUNNOCK_TRY(const List items, Taken(limits, a.positional[0]));
  DUNNOCK_TRY(const int64_t count, IntegerArgument("slice", a.Find(1, "slices"), 0));
  if (count < 1) return Invalid("slice: expected a number above 0");
  const Value* fill = a.Find(2, "fill_with");
  const auto n = static_cast<size_t>(count);
  if (n > 100'000) return Fail(ErrorCode::kLimit, "slice: more than 100000 slices");
  DUNNOCK_TRY_STATUS(limits.Charge(n));
  List out;
  const size_t each = items.size() / n, extra = items.size() % n;
  for (size_t s = 0, at = 0; s < n; ++s) {
    const size_t size = each + (s < extra ? 1 : 0);
    const auto begin = items.begin() + static_cast<std::ptrdiff_t>(at);
    List row(begin, begin + static_cast<std::ptrdiff_t>(size));
    if (fill != nullptr && !fill->Is(Kind::kNone) && s >= extra) row.push_back(*fill);
    out.push_back(Value::OfList(std::move(row)));
    at += size;
  }
  return Generator(std::move(out));
}

Result<Value> GroupBy(Limits& limits, const Arguments& a) {
  DUNNOCK_TRY(const List items, Taken(limits, a.positional[0]));
  const Value *attribute = a.Find(1, "attribute"), *fallback = a.Find(2, "default");
  if (attribute == nullptr) return Invalid("groupby: expected an attribute");
  const KeyOf shown{attribute, false, fallback};
  const KeyOf key_of{attribute, !FlagArgument(a.Find(3, "case_sensitive"), false), fallback};
  DUNNOCK_TRY(const List keys, Keys(limits, items, key_of));
  DUNNOCK_TRY_STATUS(limits.Charge(Value::OfList(keys).weight()));
  DUNNOCK_TRY(const std::vector<size_t> order, SortedOrder(keys, false));
  List out;
  for (size_t i = 0; i < order.size();) {
    List group;
    const size_t first = order[i];
    for (; i < order.size() && Equal(keys[order[i]], keys[first]); ++i)
      group.push_back(items[order[i]]);
    if (group.empty()) group.push_back(items[order[i++]]);  // NaN differs from itself
    DUNNOCK_TRY(const Value key, shown(limits, items[first]));
    out.push_back(Value::OfTuple({key, Value::OfList(std::move(group))}));
  }
  return Value::OfList(std::move(out));
}

constexpr NamedFilter kFilters[] = {
    {"batch", 3, Batch},
    {"first", 1, Edge<true>},
    {"groupby", 4, GroupBy},
    {"join", 3, Join},
    {"last", 1, Edge<false>},
    {"list", 1, ListFilter},
    {"map", SIZE_MAX, Map},
    {"max", 3, Extreme<true>},
    {"min", 3, Extreme<false>},
    {"reject", SIZE_MAX, Select<false, false>},
    {"rejectattr", SIZE_MAX, Select<false, true>},
    {"reverse", 1, Reverse},
    {"select", SIZE_MAX, Select<true, false>},
    {"selectattr", SIZE_MAX, Select<true, true>},
    {"slice", 3, SliceFilter},
    {"sort", 4, Sort},
    {"sum", 3, Sum},
    {"unique", 3, Unique},
};

}  // namespace

std::span<const NamedFilter> ListFilters() { return kFilters; }

}  // namespace dunnock::jinja
