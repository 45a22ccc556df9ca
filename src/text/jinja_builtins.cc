#include "text/jinja_builtins.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <unordered_map>

#include "base/str.h"
#include "base/utf8.h"
#include "text/unicode.h"

namespace dunnock::jinja {
namespace {

// An argument by position (0 is the value itself) or name.
const Value* Get(const Arguments& a, size_t position, std::string_view name) {
  if (position < a.positional.size()) return &a.positional[position];
  for (const auto& [key, value] : a.named) {
    if (key == name) return &value;
  }
  return nullptr;
}
std::string TextOf(const Value* v, const char* fallback) {
  return v == nullptr ? fallback : v->Printed().str();
}
bool Flag(const Value* v, bool fallback) { return v == nullptr ? fallback : v->Truth(); }

// Upper case as the inverse of lower case; the few letters whose upper case is two ("ß") by hand.
void AppendUpperCase(std::u32string& out, char32_t c) {
  static const std::unordered_map<char32_t, char32_t> upper = [] {
    std::unordered_map<char32_t, char32_t> map;
    std::u32string lower;
    for (char32_t u = 0; u < 0x1E944; ++u) {  // no cased script lies above Adlam
      lower.clear();
      AppendLowerCase(lower, u);
      if (lower.size() == 1 && lower[0] != u) map.emplace(lower[0], u);
    }
    return map;
  }();
  if (c == U'ß') {
    out += U"SS";
    return;
  }
  const auto it = upper.find(c);
  out += it == upper.end() ? c : it->second;
}

std::u32string Mapped(const std::string& text, bool upper) {
  std::u32string out;
  for (const char32_t c : ToUtf32(text)) {
    if (upper) {
      AppendUpperCase(out, c);
    } else {
      AppendLowerCase(out, c);
    }
  }
  return out;
}
std::string Upper(const std::string& text) { return ToUtf8(Mapped(text, true)); }
std::string Lower(const std::string& text) { return ToUtf8(Mapped(text, false)); }

std::string Capitalize(const std::string& text) {
  if (text.empty()) return text;
  const size_t first = DecodeUtf8(text, 0).size;
  return Upper(text.substr(0, first)) + Lower(text.substr(first));
}

// Python's title(): a letter behind anything but a letter is upper case. jinja2's filter only
// counts white space, hyphens and brackets as borders.
std::string Title(const std::string& text, bool as_filter) {
  std::string out;
  bool begins = true;
  for (const char32_t c : ToUtf32(text)) {
    std::string one;
    AppendUtf8(one, c);
    out += begins ? Upper(one) : Lower(one);
    begins = as_filter ? IsWhiteSpace(c) || c == '-' || c == '(' || c == '{' || c == '[' || c == '<'
                       : !IsLetter(c);
  }
  return out;
}

size_t CountCharacters(const std::string& text) {
  return static_cast<size_t>(std::count_if(
      text.begin(), text.end(), [](char c) { return (static_cast<uint8_t>(c) & 0xC0) != 0x80; }));
}

Text Replace(const Text& text, const Text& from, const Text& to, int64_t most) {
  Text out;
  size_t at = 0;
  const std::string& s = text.str();
  if (from.size() == 0) {  // between all characters
    for (; most != 0; --most) {
      out.Append(to);
      if (at >= s.size()) return out;
      const size_t n = DecodeUtf8(s, at).size;
      out.Append(text.Slice(at, at + n));
      at += n;
    }
    out.Append(text.Slice(at, s.size()));
    return out;
  }
  for (size_t hit; most != 0 && (hit = s.find(from.str(), at)) != std::string::npos;
       at = hit + from.size(), --most) {
    out.Append(text.Slice(at, hit));
    out.Append(to);
  }
  out.Append(text.Slice(at, s.size()));
  return out;
}

List Split(const Text& text, const Value* separator, int64_t most, bool from_right) {
  List out;
  const std::string& s = text.str();
  if (separator == nullptr || separator->Is(Kind::kNone)) {
    size_t at = 0;
    const auto space = [&](size_t i) { return IsWhiteSpace(DecodeUtf8(s, i).code_point); };
    while (true) {
      while (at < s.size() && space(at)) at += DecodeUtf8(s, at).size;
      if (at >= s.size()) break;
      if (most >= 0 && static_cast<int64_t>(out.size()) == most) {
        out.push_back(Strip(text.Slice(at, s.size()), nullptr, false, true));
        break;
      }
      size_t end = at;
      while (end < s.size() && !space(end)) end += DecodeUtf8(s, end).size;
      out.push_back(text.Slice(at, end));
      at = end;
    }
    return out;
  }
  const std::string& by = separator->AsText().str();
  std::vector<size_t> hits;
  for (size_t hit = s.find(by); hit != std::string::npos; hit = s.find(by, hit + by.size()))
    hits.push_back(hit);
  if (most >= 0 && hits.size() > static_cast<size_t>(most)) {
    if (from_right) {
      hits.erase(hits.begin(), hits.end() - static_cast<std::ptrdiff_t>(most));
    } else {
      hits.resize(static_cast<size_t>(most));
    }
  }
  size_t at = 0;
  for (const size_t hit : hits) {
    out.push_back(text.Slice(at, hit));
    at = hit + by.size();
  }
  out.push_back(text.Slice(at, s.size()));
  return out;
}

bool All(const std::string& text, bool (*test)(char32_t)) {
  const std::u32string t = ToUtf32(text);
  return !t.empty() && std::all_of(t.begin(), t.end(), test);
}

std::unexpected<Error> Wrong(const std::string& name, const Value& v, const char* wanted) {
  return Invalid(Str(name, ": expected ", wanted, ", found ", v.TypeName()));
}

using TextMethod = Result<Value> (*)(const Text& self, const Arguments& a);

struct NamedMethod {
  std::string_view name;
  TextMethod call;
};

// Positions count from 0 here: the object is not among the arguments.
constexpr NamedMethod kTextMethods[] = {
    {"strip",
     [](const Text& s, const Arguments& a) -> Result<Value> {
       const std::string chars = TextOf(Get(a, 0, "chars"), "");
       return Value(Strip(s, Get(a, 0, "chars") == nullptr ? nullptr : &chars, true, true));
     }},
    {"lstrip",
     [](const Text& s, const Arguments& a) -> Result<Value> {
       const std::string chars = TextOf(Get(a, 0, "chars"), "");
       return Value(Strip(s, Get(a, 0, "chars") == nullptr ? nullptr : &chars, true, false));
     }},
    {"rstrip",
     [](const Text& s, const Arguments& a) -> Result<Value> {
       const std::string chars = TextOf(Get(a, 0, "chars"), "");
       return Value(Strip(s, Get(a, 0, "chars") == nullptr ? nullptr : &chars, false, true));
     }},
    {"split",
     [](const Text& s, const Arguments& a) -> Result<Value> {
       const Value* by = Get(a, 0, "sep");
       if (by != nullptr && !by->Is(Kind::kNone) &&
           (!by->Is(Kind::kString) || by->AsText().size() == 0))
         return Wrong("split", *by, "a string that is not empty");
       const Value* most = Get(a, 1, "maxsplit");
       return Value::OfList(
           Split(s, by, most == nullptr || !most->IsNumber() ? -1 : most->AsInt(), false));
     }},
    {"rsplit",
     [](const Text& s, const Arguments& a) -> Result<Value> {
       const Value* by = Get(a, 0, "sep");
       if (by != nullptr && !by->Is(Kind::kNone) &&
           (!by->Is(Kind::kString) || by->AsText().size() == 0))
         return Wrong("rsplit", *by, "a string that is not empty");
       const Value* most = Get(a, 1, "maxsplit");
       return Value::OfList(
           Split(s, by, most == nullptr || !most->IsNumber() ? -1 : most->AsInt(), true));
     }},
    {"splitlines",
     [](const Text& s, const Arguments&) -> Result<Value> {
       List out;
       size_t at = 0;
       while (at < s.size()) {
         const size_t end = std::min(s.str().find_first_of("\r\n", at), s.size());
         out.push_back(s.Slice(at, end));
         at = end + (s.str().compare(end, 2, "\r\n") == 0 ? 2 : 1);
       }
       return Value::OfList(std::move(out));
     }},
    {"startswith",
     [](const Text& s, const Arguments& a) -> Result<Value> {
       const Value* p = Get(a, 0, "prefix");
       if (p != nullptr && p->Is(Kind::kString))
         return Value(s.str().starts_with(p->AsText().str()));
       if (p == nullptr || !p->Is(Kind::kTuple))
         return Wrong("startswith", p == nullptr ? Value() : *p, "a string or a tuple of strings");
       return Value(std::any_of(p->AsList().begin(), p->AsList().end(), [&](const Value& v) {
         return v.Is(Kind::kString) && s.str().starts_with(v.AsText().str());
       }));
     }},
    {"endswith",
     [](const Text& s, const Arguments& a) -> Result<Value> {
       const Value* p = Get(a, 0, "suffix");
       if (p != nullptr && p->Is(Kind::kString)) return Value(s.str().ends_with(p->AsText().str()));
       if (p == nullptr || !p->Is(Kind::kTuple))
         return Wrong("endswith", p == nullptr ? Value() : *p, "a string or a tuple of strings");
       return Value(std::any_of(p->AsList().begin(), p->AsList().end(), [&](const Value& v) {
         return v.Is(Kind::kString) && s.str().ends_with(v.AsText().str());
       }));
     }},
    {"replace",
     [](const Text& s, const Arguments& a) -> Result<Value> {
       const Value *from = Get(a, 0, "old"), *to = Get(a, 1, "new"), *most = Get(a, 2, "count");
       if (from == nullptr || to == nullptr || !from->Is(Kind::kString) || !to->Is(Kind::kString))
         return Invalid("replace: expected two strings");
       return Value(Replace(s, from->AsText(), to->AsText(),
                            most == nullptr || !most->IsNumber() ? -1 : most->AsInt()));
     }},
    {"upper",
     [](const Text& s, const Arguments&) -> Result<Value> {
       return Value(Text(Upper(s.str()), s.trusted()));
     }},
    {"lower",
     [](const Text& s, const Arguments&) -> Result<Value> {
       return Value(Text(Lower(s.str()), s.trusted()));
     }},
    {"title",
     [](const Text& s, const Arguments&) -> Result<Value> {
       return Value(Text(Title(s.str(), false), s.trusted()));
     }},
    {"capitalize",
     [](const Text& s, const Arguments&) -> Result<Value> {
       return Value(Text(Capitalize(s.str()), s.trusted()));
     }},
    {"find",
     [](const Text& s, const Arguments& a) -> Result<Value> {
       const size_t at = s.str().find(TextOf(Get(a, 0, "sub"), ""));
       return Value(at == std::string::npos
                        ? int64_t{-1}
                        : static_cast<int64_t>(CountCharacters(s.str().substr(0, at))));
     }},
    {"count",
     [](const Text& s, const Arguments& a) -> Result<Value> {
       const std::string sub = TextOf(Get(a, 0, "sub"), "");
       if (sub.empty()) return Value(static_cast<int64_t>(CountCharacters(s.str()) + 1));
       int64_t n = 0;
       for (size_t at = 0; (at = s.str().find(sub, at)) != std::string::npos; at += sub.size()) ++n;
       return Value(n);
     }},
    {"join",
     [](const Text& s, const Arguments& a) -> Result<Value> {
       if (a.positional.empty()) return Invalid("join: expected a list");
       DUNNOCK_TRY(const List items, Elements(a.positional[0]));
       Text out;
       for (size_t i = 0; i < items.size(); ++i) {
         if (!items[i].Is(Kind::kString)) return Wrong("join", items[i], "strings");
         if (i > 0) out.Append(s);
         out.Append(items[i].AsText());
       }
       return Value(out);
     }},
    {"isdigit",
     [](const Text& s, const Arguments&) -> Result<Value> {
       return Value(All(s.str(), [](char32_t c) { return CategoryOf(c) == Category::kNd; }));
     }},
    {"isnumeric",
     [](const Text& s, const Arguments&) -> Result<Value> {
       return Value(All(s.str(), IsNumber));
     }},
    {"isalpha",
     [](const Text& s, const Arguments&) -> Result<Value> {
       return Value(All(s.str(), IsLetter));
     }},
    {"isalnum",
     [](const Text& s, const Arguments&) -> Result<Value> {
       return Value(All(s.str(), [](char32_t c) { return IsLetter(c) || IsNumber(c); }));
     }},
    {"isspace",
     [](const Text& s, const Arguments&) -> Result<Value> {
       return Value(All(s.str(), IsWhiteSpace));
     }},
    {"isupper",
     [](const Text& s, const Arguments&) -> Result<Value> {
       return Value(Upper(s.str()) == s.str() && Lower(s.str()) != s.str());
     }},
    {"islower",
     [](const Text& s, const Arguments&) -> Result<Value> {
       return Value(Lower(s.str()) == s.str() && Upper(s.str()) != s.str());
     }},
    {"removeprefix",
     [](const Text& s, const Arguments& a) -> Result<Value> {
       const std::string p = TextOf(Get(a, 0, "prefix"), "");
       return Value(s.str().starts_with(p) ? s.Slice(p.size(), s.size()) : s);
     }},
    {"removesuffix",
     [](const Text& s, const Arguments& a) -> Result<Value> {
       const std::string p = TextOf(Get(a, 0, "suffix"), "");
       return Value(s.str().ends_with(p) ? s.Slice(0, s.size() - p.size()) : s);
     }},
};

}  // namespace

Text Strip(const Text& text, const std::string* characters, bool left, bool right) {
  const std::string& s = text.str();
  const std::u32string set = characters == nullptr ? std::u32string() : ToUtf32(*characters);
  const auto strips = [&](char32_t c) {
    return characters == nullptr ? IsWhiteSpace(c) || (c >= 0x1C && c <= 0x1F)
                                 : set.find(c) != std::u32string::npos;
  };
  size_t begin = 0, end = s.size();
  while (left && begin < end) {
    const DecodedChar c = DecodeUtf8(s, begin);
    if (!strips(c.code_point)) break;
    begin += c.size;
  }
  while (right && end > begin) {
    size_t at = end - 1;
    while (at > begin && (static_cast<uint8_t>(s[at]) & 0xC0) == 0x80) --at;
    if (!strips(DecodeUtf8(s, at).code_point)) break;
    end = at;
  }
  return text.Slice(begin, end);
}

Result<List> Elements(const Value& v) {
  if (v.IsSequence()) return v.AsList();
  List out;
  if (v.IsMapping()) {
    for (const auto& [key, value] : v.AsDict()) out.push_back(key);
    return out;
  }
  if (v.Is(Kind::kString)) {
    for (size_t at = 0; at < v.AsText().size();) {
      const size_t n = DecodeUtf8(v.AsText().str(), at).size;
      out.push_back(v.AsText().Slice(at, at + n));
      at += n;
    }
    return out;
  }
  if (v.Is(Kind::kUndefined)) return out;
  return Invalid(Str(v.TypeName(), " has no elements: expected a list, a dict or a string"));
}

Value Builtins::Attribute(const Value& object, const std::string& path) {
  Value at = object;
  for (size_t begin = 0; begin <= path.size();) {
    const size_t end = std::min(path.find('.', begin), path.size());
    const std::string key = path.substr(begin, end - begin);
    const bool index =
        !key.empty() && key.size() < 10 &&
        std::all_of(key.begin(), key.end(), [](char c) { return c >= '0' && c <= '9'; });
    auto item = Item(at, index && at.IsSequence() ? Value(static_cast<int64_t>(std::stoll(key)))
                                                  : Value::Trusted(key));
    if (!item) return Value::Missing(key);
    at = *std::move(item);
    begin = end + 1;
  }
  return at;
}

Result<Value> Builtins::Item(const Value& object, const Value& key) {
  if (object.IsMapping()) {
    for (const auto& [k, v] : object.AsDict()) {
      if (Equal(k, key)) return v;
    }
    return Value::Missing(key.Printed().str());
  }
  if (object.IsSequence() || object.Is(Kind::kString)) {
    if (!key.IsNumber()) return Value::Missing(key.Printed().str());
    DUNNOCK_TRY(const List items, Elements(object));
    int64_t i = key.AsInt();
    if (i < 0) i += static_cast<int64_t>(items.size());
    if (i < 0 || static_cast<size_t>(i) >= items.size())
      return Value::Missing(Str("element ", key.AsInt()));
    return items[static_cast<size_t>(i)];
  }
  return Value::Missing(key.Printed().str());
}

Value Builtins::Method(const Value& object, const std::string& name) {
  if (object.Is(Kind::kString)) {
    for (const NamedMethod& m : kTextMethods) {
      if (m.name == name) {
        return Value::OfFunction(
            [this, call = m.call, self = object.AsText()](Arguments& a) -> Result<Value> {
              DUNNOCK_TRY_STATUS(Charge(self.size()));
              return call(self, a);
            });
      }
    }
    return {};
  }
  if (object.Is(Kind::kDict)) {
    if (name == "items" || name == "keys" || name == "values" || name == "copy") {
      return Value::OfFunction([this, name, object](Arguments&) -> Result<Value> {
        DUNNOCK_TRY_STATUS(Charge(object.AsDict().size()));
        if (name == "copy") return object;
        List out;
        for (const auto& [k, v] : object.AsDict())
          out.push_back(name == "items" ? Value::OfTuple({k, v}) : name == "keys" ? k : v);
        return Value::OfList(std::move(out));
      });
    }
    if (name == "get") {
      return Value::OfFunction([this, object](Arguments& a) -> Result<Value> {
        const Value* key = Get(a, 0, "key");
        if (key == nullptr) return Invalid("get: expected a key");
        DUNNOCK_TRY(Value found, Item(object, *key));
        if (!found.Is(Kind::kUndefined)) return found;
        const Value* fallback = Get(a, 1, "default");
        return fallback == nullptr ? Value(None{}) : *fallback;
      });
    }
    return {};
  }
  if (object.IsSequence() && (name == "index" || name == "count")) {
    return Value::OfFunction([name, object](Arguments& a) -> Result<Value> {
      if (a.positional.empty()) return Invalid(Str(name, ": expected a value"));
      int64_t n = 0;
      for (size_t i = 0; i < object.AsList().size(); ++i) {
        if (!Equal(object.AsList()[i], a.positional[0])) continue;
        if (name == "index") return Value(static_cast<int64_t>(i));
        ++n;
      }
      if (name == "index") return Invalid("index: the value is not in the list");
      return Value(n);
    });
  }
  return {};
}

Result<bool> Builtins::Test(const std::string& name, const Arguments& a) {
  const Value& v = a.positional[0];
  const auto other = [&]() -> Result<Value> {
    if (a.positional.size() < 2) return Invalid(Str("test \"", name, "\": expected an argument"));
    return a.positional[1];
  };
  if (name == "defined") return !v.Is(Kind::kUndefined);
  if (name == "undefined") return v.Is(Kind::kUndefined);
  if (name == "none") return v.Is(Kind::kNone);
  if (name == "string") return v.Is(Kind::kString);
  if (name == "mapping") return v.IsMapping();
  if (name == "iterable" || name == "sequence")
    return v.IsSequence() || v.IsMapping() || v.Is(Kind::kString) ||
           (name == "iterable" && v.Is(Kind::kUndefined));
  if (name == "number") return v.IsNumber();
  if (name == "integer") return v.Is(Kind::kInt);
  if (name == "float") return v.Is(Kind::kFloat);
  if (name == "boolean") return v.Is(Kind::kBool);
  if (name == "true") return v.Is(Kind::kBool) && v.Truth();
  if (name == "false") return v.Is(Kind::kBool) && !v.Truth();
  if (name == "callable") return v.Is(Kind::kFunction);
  if (name == "lower")
    return Lower(v.Printed().str()) == v.Printed().str() &&
           Upper(v.Printed().str()) != v.Printed().str();
  if (name == "upper")
    return Upper(v.Printed().str()) == v.Printed().str() &&
           Lower(v.Printed().str()) != v.Printed().str();
  if (name == "odd" || name == "even") {
    if (!v.IsNumber()) return Wrong(name, v, "a number");
    return (v.AsInt() % 2 != 0) == (name == "odd");
  }
  if (name == "divisibleby") {
    DUNNOCK_TRY(const Value by, other());
    if (!v.IsNumber() || !by.IsNumber() || by.AsInt() == 0)
      return Invalid("divisibleby: expected numbers that are not zero");
    return v.AsInt() % by.AsInt() == 0;
  }
  if (name == "eq" || name == "equalto" || name == "==" || name == "sameas") {
    DUNNOCK_TRY(const Value to, other());
    return Equal(v, to) && (name != "sameas" || v.kind() == to.kind());
  }
  if (name == "ne" || name == "!=") {
    DUNNOCK_TRY(const Value to, other());
    return !Equal(v, to);
  }
  if (name == "in") {
    DUNNOCK_TRY(const Value in, other());
    if (in.Is(Kind::kString))
      return v.Is(Kind::kString) && in.AsText().str().find(v.AsText().str()) != std::string::npos;
    DUNNOCK_TRY(const List items, Elements(in));
    return std::any_of(items.begin(), items.end(), [&](const Value& i) { return Equal(i, v); });
  }
  static constexpr std::pair<std::string_view, int> kOrders[] = {
      {"lt", 0}, {"lessthan", 0},    {"<", 0}, {"le", 1}, {"<=", 1},
      {"gt", 2}, {"greaterthan", 2}, {">", 2}, {"ge", 3}, {">=", 3}};
  for (const auto& [order_name, kind] : kOrders) {
    if (name != order_name) continue;
    DUNNOCK_TRY(const Value to, other());
    DUNNOCK_TRY(const int order, Compare(v, to));
    return kind == 0 ? order < 0 : kind == 1 ? order <= 0 : kind == 2 ? order > 0 : order >= 0;
  }
  return Unsupported(Str("the test \"", name, "\" is not known here"));
}

Result<Value> Builtins::TextFilter(const std::string& name, Arguments& a) {
  const Text text = a.positional[0].Printed();
  DUNNOCK_TRY_STATUS(Charge(text.size()));
  if (name == "trim") {
    const Value* chars = Get(a, 1, "chars");
    const std::string set = TextOf(chars, "");
    return Value(
        Strip(text, chars == nullptr || chars->Is(Kind::kNone) ? nullptr : &set, true, true));
  }
  if (name == "upper") return Value(Text(Upper(text.str()), text.trusted()));
  if (name == "lower") return Value(Text(Lower(text.str()), text.trusted()));
  if (name == "capitalize") return Value(Text(Capitalize(text.str()), text.trusted()));
  if (name == "title") return Value(Text(Title(text.str(), true), text.trusted()));
  if (name == "string" || name == "safe") return Value(text);
  if (name == "wordcount")
    return Value(static_cast<int64_t>(Split(text, nullptr, -1, false).size()));
  if (name == "replace") {
    const Value *from = Get(a, 1, "old"), *to = Get(a, 2, "new"), *most = Get(a, 3, "count");
    if (from == nullptr || to == nullptr) return Invalid("replace: expected two strings");
    return Value(Replace(text, from->Printed(), to->Printed(),
                         most == nullptr || !most->IsNumber() ? -1 : most->AsInt()));
  }
  if (name == "indent") {
    const Value* width = Get(a, 1, "width");
    const std::string pad =
        width != nullptr && width->Is(Kind::kString)
            ? width->AsText().str()
            : std::string(width == nullptr
                              ? 4
                              : static_cast<size_t>(std::clamp<int64_t>(width->AsInt(), 0, 1000)),
                          ' ');
    const bool first = Flag(Get(a, 2, "first"), false), blank = Flag(Get(a, 3, "blank"), false);
    Text out;
    size_t at = 0;
    for (size_t line = 0;; ++line) {
      const size_t end = std::min(text.str().find('\n', at), text.size());
      if ((line > 0 || first) && (end > at || blank)) out.Append(Text(pad, true));
      out.Append(text.Slice(at, std::min(end + 1, text.size())));
      if (end >= text.size()) return Value(out);
      at = end + 1;
    }
  }
  if (name == "e" || name == "escape") {
    std::string out;
    for (const char c : text.str()) {
      out += c == '&'    ? "&amp;"
             : c == '<'  ? "&lt;"
             : c == '>'  ? "&gt;"
             : c == '"'  ? "&#34;"
             : c == '\'' ? "&#39;"
                         : std::string(1, c);
    }
    return Value(Text(out, text.trusted()));
  }
  if (name == "center") {
    const Value* width = Get(a, 1, "width");
    const auto want =
        static_cast<size_t>(std::clamp<int64_t>(width == nullptr ? 80 : width->AsInt(), 0, 100000));
    const size_t have = CountCharacters(text.str()), pad = want > have ? want - have : 0;
    const size_t left = pad / 2 + (pad & want & 1);
    Text out(std::string(left, ' '), true);
    out.Append(text);
    out.Append(Text(std::string(pad - left, ' '), true));
    return Value(out);
  }
  return Unsupported(Str("the filter \"", name, "\" is not known here"));
}

Result<Value> Builtins::ListFilter(const std::string& name, Arguments& a) {
  const Value subject = a.positional[0];
  DUNNOCK_TRY(List items, Elements(subject));
  DUNNOCK_TRY_STATUS(Charge(items.size()));
  const Value* by = Get(a, 1, "attribute");
  const auto key = [&](const Value& v, const Value* attribute) {
    return attribute == nullptr || attribute->Is(Kind::kNone)
               ? v
               : Attribute(v, attribute->Printed().str());
  };
  if (name == "list") return Value::OfList(std::move(items));
  if (name == "first" || name == "last")
    return items.empty()     ? Value::Missing("the " + name + " element")
           : name == "first" ? items.front()
                             : items.back();
  if (name == "reverse") {
    std::reverse(items.begin(), items.end());
    if (!subject.Is(Kind::kString)) return Value::OfList(std::move(items));
    Text out;
    for (const Value& v : items) out.Append(v.AsText());
    return Value(out);
  }
  if (name == "join") {
    const Value* separator = Get(a, 1, "d");
    const Value* attribute = Get(a, 2, "attribute");
    Text out;
    for (size_t i = 0; i < items.size(); ++i) {
      if (i > 0 && separator != nullptr) out.Append(separator->Printed());
      out.Append(key(items[i], attribute).Printed());
      DUNNOCK_TRY_STATUS(Charge(out.size() / 64 + 1));
    }
    return Value(out);
  }
  if (name == "map") {
    List out;
    Value* attribute = nullptr;
    Value* fallback = nullptr;
    for (auto& [n, v] : a.named) {
      if (n == "attribute") attribute = &v;
      if (n == "default") fallback = &v;
    }
    for (const Value& item : items) {
      if (attribute != nullptr) {
        Value v = key(item, attribute);
        out.push_back(v.Is(Kind::kUndefined) && fallback != nullptr ? *fallback : std::move(v));
        continue;
      }
      if (a.positional.size() < 2) return Invalid("map: expected a filter's name or attribute=");
      Arguments inner{{item}, a.named};
      inner.positional.insert(inner.positional.end(), a.positional.begin() + 2, a.positional.end());
      DUNNOCK_TRY(Value v, Filter(a.positional[1].Printed().str(), std::move(inner)));
      out.push_back(std::move(v));
    }
    return Value::OfList(std::move(out));
  }
  if (name == "select" || name == "reject" || name == "selectattr" || name == "rejectattr") {
    const bool by_attribute = name.ends_with("attr"), keep = name.starts_with("select");
    const size_t test = by_attribute ? 2 : 1;
    if (by_attribute && a.positional.size() < 2)
      return Invalid(Str(name, ": expected an attribute"));
    List out;
    for (const Value& item : items) {
      const Value subject_value =
          by_attribute ? Attribute(item, a.positional[1].Printed().str()) : item;
      bool passes = subject_value.Truth();
      if (a.positional.size() > test) {
        Arguments inner{{subject_value}, {}};
        inner.positional.insert(inner.positional.end(),
                                a.positional.begin() + static_cast<std::ptrdiff_t>(test) + 1,
                                a.positional.end());
        DUNNOCK_TRY(passes, Test(a.positional[test].Printed().str(), inner));
      }
      if (passes == keep) out.push_back(item);
    }
    return Value::OfList(std::move(out));
  }
  const auto folded = [&](Value v, bool case_sensitive) {
    return !case_sensitive && v.Is(Kind::kString)
               ? Value(Text(Lower(v.AsText().str()), v.AsText().trusted()))
               : v;
  };
  if (name == "sort") {
    const Value* attribute = Get(a, 3, "attribute");
    const bool reverse = Flag(Get(a, 1, "reverse"), false),
               exact = Flag(Get(a, 2, "case_sensitive"), false);
    std::optional<Error> failed;
    const auto before = [&](const Value& x, const Value& y) {
      const auto order =
          Compare(folded(key(x, attribute), exact), folded(key(y, attribute), exact));
      if (!order) failed = order.error();
      return order && (reverse ? *order > 0 : *order < 0);
    };
    std::stable_sort(items.begin(), items.end(), before);
    if (failed) return std::unexpected(*failed);
    return Value::OfList(std::move(items));
  }
  if (name == "unique") {
    const bool exact = Flag(Get(a, 1, "case_sensitive"), false);
    const Value* attribute = Get(a, 2, "attribute");
    List out;
    for (const Value& item : items) {
      DUNNOCK_TRY_STATUS(Charge(out.size()));
      const Value k = folded(key(item, attribute), exact);
      if (std::none_of(out.begin(), out.end(),
                       [&](const Value& o) { return Equal(folded(key(o, attribute), exact), k); }))
        out.push_back(item);
    }
    return Value::OfList(std::move(out));
  }
  if (name == "min" || name == "max") {
    if (items.empty()) return Value::Missing("the " + name + " of nothing");
    size_t best = 0;
    for (size_t i = 1; i < items.size(); ++i) {
      DUNNOCK_TRY(const int order, Compare(folded(items[i], false), folded(items[best], false)));
      if (name == "min" ? order < 0 : order > 0) best = i;
    }
    return items[best];
  }
  if (name == "sum") {
    double total = 0;
    int64_t whole = 0;
    bool is_float = false;
    for (const Value& item : items) {
      const Value v = key(item, by);
      if (!v.IsNumber()) return Wrong("sum", v, "numbers");
      is_float = is_float || v.Is(Kind::kFloat);
      total += v.AsFloat();
      if (__builtin_add_overflow(whole, v.AsInt(), &whole))
        return Invalid("sum: the result is too large");
    }
    return is_float ? Value(total) : Value(whole);
  }
  if (name == "batch" || name == "slice") {
    const Value* count = Get(a, 1, name == "batch" ? "linecount" : "slices");
    if (count == nullptr || count->AsInt() < 1)
      return Invalid(Str(name, ": expected a number above 0"));
    const Value* fill = Get(a, 2, "fill_with");
    const auto n = static_cast<size_t>(count->AsInt());
    List out;
    if (name == "batch") {
      for (size_t i = 0; i < items.size(); i += n) {
        List row(items.begin() + static_cast<std::ptrdiff_t>(i),
                 items.begin() + static_cast<std::ptrdiff_t>(std::min(i + n, items.size())));
        if (fill != nullptr && n < 100000) row.resize(n, *fill);
        out.push_back(Value::OfList(std::move(row)));
      }
      return Value::OfList(std::move(out));
    }
    DUNNOCK_TRY_STATUS(Charge(n));
    const size_t each = items.size() / n, extra = items.size() % n;
    for (size_t s = 0, at = 0; s < n; ++s) {
      const size_t size = each + (s < extra ? 1 : 0);
      List row(items.begin() + static_cast<std::ptrdiff_t>(at),
               items.begin() + static_cast<std::ptrdiff_t>(at + size));
      if (fill != nullptr && s >= extra && extra > 0) row.push_back(*fill);
      out.push_back(Value::OfList(std::move(row)));
      at += size;
    }
    return Value::OfList(std::move(out));
  }
  if (name == "groupby") {
    const Value* attribute = Get(a, 1, "attribute");
    Arguments sorted{{subject}, {{"attribute", attribute == nullptr ? Value() : *attribute}}};
    DUNNOCK_TRY(const Value ordered, ListFilter("sort", sorted));
    List out;
    for (const Value& item : ordered.AsList()) {
      const Value k = key(item, attribute);
      List group;
      if (!out.empty() && Equal(folded(out.back().AsList()[0], false), folded(k, false))) {
        group = out.back().AsList()[1].AsList();
        group.push_back(item);
        out.back() = Value::OfTuple({out.back().AsList()[0], Value::OfList(std::move(group))});
      } else {
        out.push_back(Value::OfTuple({k, Value::OfList({item})}));
      }
      DUNNOCK_TRY_STATUS(Charge(out.size()));
    }
    return Value::OfList(std::move(out));
  }
  return Unsupported(Str("the filter \"", name, "\" is not known here"));
}

Result<Value> Builtins::Filter(const std::string& name, Arguments a) {
  const Value v = a.positional[0];
  DUNNOCK_TRY_STATUS(Charge(1));
  if (name == "default" || name == "d") {
    const Value* fallback = Get(a, 1, "default_value");
    const bool falsy = Flag(Get(a, 2, "boolean"), false);
    return v.Is(Kind::kUndefined) || (falsy && !v.Truth())
               ? (fallback == nullptr ? Value(Text()) : *fallback)
               : v;
  }
  if (name == "length" || name == "count") {
    if (v.Is(Kind::kString)) return Value(static_cast<int64_t>(CountCharacters(v.AsText().str())));
    if (v.Is(Kind::kUndefined)) return Value(int64_t{0});
    DUNNOCK_TRY(const List items, Elements(v));
    return Value(static_cast<int64_t>(items.size()));
  }
  if (name == "tojson") {
    JsonStyle style;
    if (const Value* indent = Get(a, 3, "indent"); indent != nullptr && indent->IsNumber())
      style.indent = static_cast<int>(std::clamp<int64_t>(indent->AsInt(), 0, 64));
    if (a.positional.size() == 2 && a.positional[1].IsNumber() && !a.positional[1].Is(Kind::kBool))
      style.indent = static_cast<int>(std::clamp<int64_t>(a.positional[1].AsInt(), 0, 64));
    for (const auto& [n, value] : a.named) {
      if (n == "separators" && value.IsSequence() && value.AsList().size() == 2) {
        style.item = value.AsList()[0].Printed().str();
        style.key = value.AsList()[1].Printed().str();
        if (style.item == ", " && style.indent >= 0) style.item = ", ";
      }
      if (n == "sort_keys") style.sort_keys = value.Truth();
    }
    DUNNOCK_TRY(std::string text, ToJson(v, style));
    DUNNOCK_TRY_STATUS(Charge(text.size()));
    return Value(Text(std::move(text), v.Trusted()));
  }
  if (name == "items") {
    if (v.Is(Kind::kUndefined)) return Value::OfList({});
    if (!v.IsMapping()) return Wrong("items", v, "a dict");
    List out;
    for (const auto& [k, value] : v.AsDict()) out.push_back(Value::OfTuple({k, value}));
    return Value::OfList(std::move(out));
  }
  if (name == "dictsort") {
    if (!v.IsMapping()) return Wrong("dictsort", v, "a dict");
    const bool exact = Flag(Get(a, 1, "case_sensitive"), false),
               reverse = Flag(Get(a, 3, "reverse"), false);
    const bool by_value = TextOf(Get(a, 2, "by"), "key") == "value";
    Dict items = v.AsDict();
    const auto sort_key = [&](const auto& item) {
      const Value& k = by_value ? item.second : item.first;
      return !exact && k.Is(Kind::kString) ? Value::Trusted(Lower(k.AsText().str())) : k;
    };
    std::stable_sort(items.begin(), items.end(), [&](const auto& x, const auto& y) {
      const auto order = Compare(sort_key(x), sort_key(y));
      return order && (reverse ? *order > 0 : *order < 0);
    });
    List out;
    for (const auto& [k, value] : items) out.push_back(Value::OfTuple({k, value}));
    return Value::OfList(std::move(out));
  }
  if (name == "attr") return Attribute(v, TextOf(Get(a, 1, "name"), ""));
  if (name == "int" || name == "float") {
    double number = 0;
    bool fine = v.IsNumber();
    if (fine) {
      if (name == "int") return Value(v.AsInt());
      return Value(v.AsFloat());
    }
    if (v.Is(Kind::kString)) {
      const std::string text = Strip(v.AsText(), nullptr, true, true).str();
      char* end = nullptr;
      number = std::strtod(text.c_str(), &end);
      fine = !text.empty() && *end == 0 && text.find_first_of("xXpP") == std::string::npos;
    }
    const Value* fallback = Get(a, 1, "default");
    if (!fine)
      return fallback != nullptr ? *fallback : name == "int" ? Value(int64_t{0}) : Value(0.0);
    return name == "int" ? Value(Value(number).AsInt()) : Value(number);
  }
  if (name == "abs") {
    if (!v.IsNumber()) return Wrong("abs", v, "a number");
    return v.Is(Kind::kFloat)
               ? Value(std::fabs(v.AsFloat()))
               : Value(v.AsInt() < 0 && v.AsInt() != INT64_MIN ? -v.AsInt() : v.AsInt());
  }
  if (name == "round") {
    if (!v.IsNumber()) return Wrong("round", v, "a number");
    const Value* precision = Get(a, 1, "precision");
    const std::string method = TextOf(Get(a, 2, "method"), "common");
    const double scale =
        std::pow(10.0, precision == nullptr
                           ? 0.0
                           : static_cast<double>(std::clamp<int64_t>(precision->AsInt(), -15, 15)));
    const double x = v.AsFloat() * scale;
    return Value((method == "ceil"    ? std::ceil(x)
                  : method == "floor" ? std::floor(x)
                                      : std::nearbyint(x)) /
                 scale);
  }
  static constexpr std::string_view kTextFilters[] = {
      "trim",      "upper",   "lower",  "capitalize", "title",  "string", "safe",
      "wordcount", "replace", "indent", "e",          "escape", "center"};
  static constexpr std::string_view kListFilters[] = {
      "list",       "first", "last",   "reverse", "join", "map", "select", "reject", "selectattr",
      "rejectattr", "sort",  "unique", "min",     "max",  "sum", "batch",  "slice",  "groupby"};
  const auto among = [&](const auto& names) {
    return std::find(std::begin(names), std::end(names), name) != std::end(names);
  };
  if (among(kTextFilters)) return TextFilter(name, a);
  if (!among(kListFilters)) return Unsupported(Str("the filter \"", name, "\" is not known here"));
  return ListFilter(name, a);
}

}  // namespace dunnock::jinja
