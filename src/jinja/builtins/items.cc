#include <algorithm>

#include "base/str.h"
#include "base/text/utf8.h"
#include "jinja/builtins/builtins.h"

namespace dunnock::jinja {

std::unexpected<Error> WrongType(const std::string& where, const Value& found, const char* wanted) {
  return Invalid(Str(where, ": expected ", wanted, ", found ", found.TypeName()));
}

bool IsHashable(const Value& v) {
  if (v.weight() > 10'000) return false;
  if (v.Is(Kind::kTuple)) return std::all_of(v.AsList().begin(), v.AsList().end(), IsHashable);
  return !v.Is(Kind::kList) && !v.Is(Kind::kDict) && !v.IsView();
}

Result<List> Elements(const Value& v) {
  switch (v.kind()) {
    case Kind::kList:
    case Kind::kTuple:
    case Kind::kRange:
    case Kind::kDictItems:
    case Kind::kDictKeys:
    case Kind::kDictValues:
    case Kind::kGenerator:
      return v.TakeList();
    case Kind::kUndefined:
      return List();
    case Kind::kDict: {
      List out;
      for (const auto& [key, value] : v.AsDict()) out.push_back(key);
      return out;
    }
    case Kind::kString: {
      List out;
      for (size_t at = 0; at < v.AsText().size();) {
        const size_t n = DecodeUtf8(v.AsText().str(), at).size;
        out.push_back(v.AsText().Slice(at, at + n));
        at += n;
      }
      return out;
    }
    default:
      return Invalid(Str(v.TypeName(), " has no elements: expected a list, a dict or a string"));
  }
}

Result<Value> GetItem(const Value& object, const Value& key) {
  if (object.Is(Kind::kUndefined))
    return Invalid(Str("\"", object.Name(), "\" is undefined and has no items"));
  const auto missing = [&] {
    return Value::Missing(key.Is(Kind::kString) ? key.AsText().str() : "the item");
  };
  if (object.IsMapping()) {
    for (const auto& [k, v] : object.AsDict()) {
      if (Equal(k, key)) return v;
    }
    return missing();
  }
  const bool text = object.Is(Kind::kString);
  if (!(object.IsSequence() || text) || !key.IsInteger()) return missing();
  const size_t size = text ? CountCharacters(object.AsText().str()) : object.AsList().size();
  int64_t i = key.AsInt();
  if (i < 0) i += static_cast<int64_t>(size);
  if (i < 0 || static_cast<size_t>(i) >= size) return Value::Missing(Str("item ", key.AsInt()));
  const auto at = static_cast<size_t>(i);
  if (!text) return object.AsList()[at];
  const Text one = TextSlice(object.AsText(), at, at + 1);
  return object.markup() ? Value::Markup(one) : Value(one);
}

Result<Value> GetPath(const Value& object, const Value& path) {
  if (!path.Is(Kind::kString)) return path.Is(Kind::kNone) ? object : GetItem(object, path);
  const std::string& text = path.AsText().str();
  Value at = object;
  for (size_t begin = 0; begin <= text.size();) {
    const size_t end = std::min(text.find('.', begin), text.size());
    const std::string key = text.substr(begin, end - begin);
    const bool index =
        !key.empty() && key.size() < 10 &&
        std::all_of(key.begin(), key.end(), [](char c) { return c >= '0' && c <= '9'; });
    DUNNOCK_TRY(
        at, GetItem(at, index ? Value(static_cast<int64_t>(std::stol(key))) : Value::Trusted(key)));
    begin = end + 1;
  }
  return at;
}

}  // namespace dunnock::jinja
