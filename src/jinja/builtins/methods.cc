// Methods of strings, lists and dicts.

#include <algorithm>

#include "base/str.h"
#include "base/text/utf8.h"
#include "jinja/builtins/builtins.h"
#include "jinja/builtins/case.h"
#include "jinja/builtins/format.h"
#include "unicode/characters.h"

namespace dunnock::jinja {
namespace {

using TextMethod = Result<Value> (*)(Limits& limits, const Text& self, const Arguments& a);
struct NamedMethod {
  std::string_view name;
  size_t most_arguments;
  TextMethod call;
};

bool IsGiven(const Value* v) { return v != nullptr && !v->Is(Kind::kNone); }

Result<const Text*> NeededText(const std::string& method, const Arguments& a, size_t position,
                               std::string_view name) {
  const Value* v = a.Find(position, name);
  if (v == nullptr || !v->Is(Kind::kString))
    return WrongType(method, v == nullptr ? Value() : *v, "a string");
  return &v->AsText();
}

Result<int64_t> Integer(const std::string& method, const Value* v, int64_t fallback) {
  if (!IsGiven(v)) return fallback;
  if (!v->IsInteger()) return WrongType(method, *v, "an integer");
  return v->AsInt();
}

template <bool kLeft, bool kRight>
Result<Value> StripMethod(Limits&, const Text& s, const Arguments& a) {
  if (!IsGiven(a.Find(0, "chars"))) return Value(Strip(s, nullptr, kLeft, kRight));
  DUNNOCK_TRY(const Text* chars, NeededText("strip", a, 0, "chars"));
  return Value(Strip(s, &chars->str(), kLeft, kRight));
}

template <bool kFromRight>
Result<Value> SplitMethod(Limits&, const Text& s, const Arguments& a) {
  DUNNOCK_TRY(const int64_t most, Integer("split", a.Find(1, "maxsplit"), -1));
  if (!IsGiven(a.Find(0, "sep"))) return Value::OfList(Split(s, nullptr, most, kFromRight));
  DUNNOCK_TRY(const Text* by, NeededText("split", a, 0, "sep"));
  if (by->size() == 0) return Invalid("split: the separator is empty");
  return Value::OfList(Split(s, &by->str(), most, kFromRight));
}

template <bool kFromRight>
Result<Value> PartitionMethod(Limits&, const Text& s, const Arguments& a) {
  DUNNOCK_TRY(const Text* by, NeededText("partition", a, 0, "sep"));
  if (by->size() == 0) return Invalid("partition: the separator is empty");
  const size_t at = kFromRight ? s.str().rfind(by->str()) : s.str().find(by->str());
  if (at == std::string::npos)
    return kFromRight ? Value::OfTuple({Text(), Text(), s}) : Value::OfTuple({s, Text(), Text()});
  return Value::OfTuple(
      {s.Slice(0, at), s.Slice(at, at + by->size()), s.Slice(at + by->size(), s.size())});
}

// The part of s that optional start and end arguments name; offset: characters before it. False:
// start lies behind the end, where not even "" is found.
Result<bool> Part(const Text& s, const Arguments& a, Text* part, int64_t* offset) {
  *part = s;
  *offset = 0;
  if (a.positional.size() < 2) return true;
  const auto n = static_cast<int64_t>(CountCharacters(s.str()));
  DUNNOCK_TRY(int64_t begin, Integer("start", a.Find(1, "start"), 0));
  DUNNOCK_TRY(int64_t end, Integer("end", a.Find(2, "end"), n));
  begin = begin < 0 ? std::max<int64_t>(begin < -n ? 0 : begin + n, 0) : begin;
  end = end < 0 ? (end < -n ? 0 : end + n) : std::min(end, n);
  if (begin > end) return false;
  *part = TextSlice(s, static_cast<size_t>(begin), static_cast<size_t>(end));
  *offset = begin;
  return true;
}

template <bool kEnd>
Result<Value> AffixMethod(Limits&, const Text& s, const Arguments& a) {
  const Value* affix = a.Find(0, "prefix");
  Text part;
  int64_t offset = 0;
  DUNNOCK_TRY(const bool inside, Part(s, a, &part, &offset));
  const auto matches = [&](const Value& v) {
    const std::string& t = v.AsText().str();
    return inside && (kEnd ? part.str().ends_with(t) : part.str().starts_with(t));
  };
  if (affix != nullptr && affix->Is(Kind::kString)) return Value(matches(*affix));
  if (affix == nullptr || !affix->Is(Kind::kTuple))
    return WrongType(kEnd ? "endswith" : "startswith", affix == nullptr ? Value() : *affix,
                     "a string or a tuple of strings");
  bool any = false;
  for (const Value& v : affix->AsList()) {
    if (!v.Is(Kind::kString)) return WrongType(kEnd ? "endswith" : "startswith", v, "a string");
    any = any || matches(v);
  }
  return Value(any);
}

template <bool kFromRight, bool kMust>
Result<Value> FindMethodOf(Limits&, const Text& s, const Arguments& a) {
  DUNNOCK_TRY(const Text* sub, NeededText("find", a, 0, "sub"));
  Text part;
  int64_t offset = 0;
  DUNNOCK_TRY(const bool inside, Part(s, a, &part, &offset));
  const size_t at = !inside      ? std::string::npos
                    : kFromRight ? part.str().rfind(sub->str())
                                 : part.str().find(sub->str());
  if (at != std::string::npos)
    return Value(offset + static_cast<int64_t>(CountCharacters(part.str().substr(0, at))));
  if (kMust) return Invalid("index: the substring is not there");
  return Value(int64_t{-1});
}

Result<Value> CountMethod(Limits&, const Text& s, const Arguments& a) {
  DUNNOCK_TRY(const Text* sub, NeededText("count", a, 0, "sub"));
  Text part;
  int64_t offset = 0, n = 0;
  DUNNOCK_TRY(const bool inside, Part(s, a, &part, &offset));
  if (!inside) return Value(n);
  if (sub->size() == 0) return Value(static_cast<int64_t>(CountCharacters(part.str()) + 1));
  for (size_t at = 0; (at = part.str().find(sub->str(), at)) != std::string::npos;
       at += sub->size())
    ++n;
  return Value(n);
}

// -1 left, 0 centre, 1 right: where the text goes.
template <int kSide>
Result<Value> JustifyMethod(Limits& limits, const Text& s, const Arguments& a) {
  const Value* width = a.Find(0, "width");
  if (width == nullptr) return Invalid("ljust, rjust, center: expected a width");
  DUNNOCK_TRY(const int64_t want, Integer("ljust, rjust, center", width, 0));
  Text fill(" ", true);
  if (a.positional.size() > 1) {
    DUNNOCK_TRY(const Text* given, NeededText("ljust, rjust, center", a, 1, "fillchar"));
    if (CountCharacters(given->str()) != 1)
      return Invalid("ljust, rjust, center: expected a character to fill with");
    fill = *given;
  }
  const auto have = static_cast<int64_t>(CountCharacters(s.str()));
  if (want > 1'000'000)
    return Fail(ErrorCode::kLimit, "ljust, rjust, center: wider than a million");
  const int64_t pad = std::max<int64_t>(want - have, 0);
  const int64_t left = kSide < 0 ? 0 : kSide > 0 ? pad : pad / 2 + (pad & want & 1);
  DUNNOCK_TRY_STATUS(limits.Charge(static_cast<size_t>(pad)));
  Text out;
  for (int64_t i = 0; i < left; ++i) out.Append(fill);
  out.Append(s);
  for (int64_t i = left; i < pad; ++i) out.Append(fill);
  return Value(out);
}

Result<Value> ZeroFill(Limits& limits, const Text& s, const Arguments& a) {
  if (a.positional.empty()) return Invalid("zfill: expected a width");
  DUNNOCK_TRY(const int64_t want, Integer("zfill", &a.positional[0], 0));
  const auto have = static_cast<int64_t>(CountCharacters(s.str()));
  if (want <= have) return Value(s);
  if (want > 1'000'000) return Fail(ErrorCode::kLimit, "zfill: wider than a million");
  DUNNOCK_TRY_STATUS(limits.Charge(static_cast<size_t>(want)));
  const bool sign = s.str().starts_with('-') || s.str().starts_with('+');
  Text out = s.Slice(0, sign ? 1 : 0);
  out.Append(Text(std::string(static_cast<size_t>(want - have), '0'), true));
  out.Append(s.Slice(sign ? 1 : 0, s.size()));
  return Value(out);
}

Result<Value> ExpandTabs(Limits& limits, const Text& s, const Arguments& a) {
  DUNNOCK_TRY(const int64_t size, Integer("expandtabs", a.Find(0, "tabsize"), 8));
  if (size > 1000) return Fail(ErrorCode::kLimit, "expandtabs: more than 1000");
  Text out;
  int64_t column = 0;
  for (size_t at = 0; at < s.size();) {
    const DecodedChar c = DecodeUtf8(s.str(), at);
    if (c.code_point == '\t') {
      const int64_t pad = size > 0 ? size - column % size : 0;
      out.Append(Text(std::string(static_cast<size_t>(pad), ' '), s.Slice(at, at + 1).trusted()));
      column += pad;
    } else {
      out.Append(s.Slice(at, at + c.size));
      column = c.code_point == '\n' || c.code_point == '\r' ? 0 : column + 1;
    }
    at += c.size;
    DUNNOCK_TRY_STATUS(limits.CheckSize(out));
  }
  return Value(out);
}

Result<Value> ReplaceMethod(Limits& limits, const Text& s, const Arguments& a) {
  DUNNOCK_TRY(const Text* from, NeededText("replace", a, 0, "old"));
  DUNNOCK_TRY(const Text* to, NeededText("replace", a, 1, "new"));
  DUNNOCK_TRY(const int64_t most, Integer("replace", a.Find(2, "count"), -1));
  DUNNOCK_TRY_STATUS(CheckReplaced(limits, s, *from, *to));
  return Value(Replace(s, *from, *to, most));
}

Result<Value> JoinMethod(Limits& limits, const Text& s, const Arguments& a) {
  if (a.positional.empty()) return Invalid("join: expected a list");
  DUNNOCK_TRY(const List items, Elements(a.positional[0]));
  Text out;
  for (size_t i = 0; i < items.size(); ++i) {
    if (!items[i].Is(Kind::kString)) return WrongType("join", items[i], "strings");
    if (i > 0) out.Append(s);
    out.Append(items[i].AsText());
    if (out.size() > limits.max_bytes) break;
  }
  DUNNOCK_TRY_STATUS(limits.Charge(items.size()));
  DUNNOCK_TRY_STATUS(limits.CheckSize(out));
  return Value(out);
}

template <bool kPrefix>
Result<Value> RemoveMethod(Limits&, const Text& s, const Arguments& a) {
  DUNNOCK_TRY(const Text* affix, NeededText("removeprefix, removesuffix", a, 0, "prefix"));
  if (kPrefix)
    return Value(s.str().starts_with(affix->str()) ? s.Slice(affix->size(), s.size()) : s);
  return Value(s.str().ends_with(affix->str()) ? s.Slice(0, s.size() - affix->size()) : s);
}

template <std::string (*kMap)(const std::string&)>
Result<Value> MapCase(Limits&, const Text& s, const Arguments&) {
  return Value(Text(kMap(s.str()), s.trusted()));
}

template <bool (*kTest)(const std::string&)>
Result<Value> Whole(Limits&, const Text& s, const Arguments&) {
  return Value(kTest(s.str()));
}

template <bool (*kTest)(char32_t)>
Result<Value> All(Limits&, const Text& s, const Arguments&) {
  const std::u32string t = ToUtf32(s.str());
  return Value(!t.empty() && std::all_of(t.begin(), t.end(), kTest));
}
bool IsDecimal(char32_t c) { return CategoryOf(c) == Category::kNd; }
bool IsDigit(char32_t c) {  // also what looks like a digit: superscripts, circled
  return IsDecimal(c) || c == 0xB2 || c == 0xB3 || c == 0xB9 || c == 0x2070 ||
         (c >= 0x2074 && c <= 0x2079) || (c >= 0x2080 && c <= 0x2089) ||
         (c >= 0x2460 && c <= 0x2468) || (c >= 0x2474 && c <= 0x247C) ||
         (c >= 0x2488 && c <= 0x2490);
}
bool IsAlphanumeric(char32_t c) { return IsLetter(c) || IsNumber(c); }
bool IsSpace(char32_t c) { return IsWhiteSpace(c) || (c >= 0x1C && c <= 0x1F); }

bool IsAscii(const std::string& text) {
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return static_cast<uint8_t>(c) < 128; });
}
bool IsIdentifier(const std::string& text) {
  const std::u32string t = ToUtf32(text);
  return !t.empty() && (IsLetter(t[0]) || t[0] == '_') &&
         std::all_of(t.begin(), t.end(), [](char32_t c) {
           return IsLetter(c) || c == '_' || IsDecimal(c) || IsCombiningMark(c);
         });
}

// Positions count from 0 here: the object is not among the arguments.
constexpr NamedMethod kTextMethods[] = {
    {"capitalize", 0, MapCase<Capitalized>},
    {"casefold", 0, MapCase<LowerCase>},
    {"center", 2, JustifyMethod<0>},
    {"count", 3, CountMethod},
    {"endswith", 3, AffixMethod<true>},
    {"expandtabs", 1, ExpandTabs},
    {"find", 3, FindMethodOf<false, false>},
    {"format", SIZE_MAX,
     [](Limits& limits, const Text& s, const Arguments& a) { return FormatBraces(limits, s, a); }},
    {"format_map", 1,
     [](Limits& limits, const Text& s, const Arguments& a) -> Result<Value> {
       if (a.positional.empty() || !a.positional[0].Is(Kind::kDict))
         return Invalid("format_map: expected a dict");
       Arguments named;
       for (const auto& [key, value] : a.positional[0].AsDict())
         if (key.Is(Kind::kString)) named.named.emplace_back(key.AsText().str(), value);
       return FormatBraces(limits, s, named);
     }},
    {"index", 3, FindMethodOf<false, true>},
    {"isalnum", 0, All<IsAlphanumeric>},
    {"isalpha", 0, All<IsLetter>},
    {"isascii", 0, Whole<IsAscii>},
    {"isdecimal", 0, All<IsDecimal>},
    {"isdigit", 0, All<IsDigit>},
    {"isidentifier", 0, Whole<IsIdentifier>},
    {"islower", 0, Whole<IsLowerCase>},
    {"isnumeric", 0, All<IsNumber>},
    {"isspace", 0, All<IsSpace>},
    {"istitle", 0, Whole<IsTitleCase>},
    {"isupper", 0, Whole<IsUpperCase>},
    {"join", 1, JoinMethod},
    {"ljust", 2, JustifyMethod<-1>},
    {"lower", 0, MapCase<LowerCase>},
    {"lstrip", 1, StripMethod<true, false>},
    {"partition", 1, PartitionMethod<false>},
    {"removeprefix", 1, RemoveMethod<true>},
    {"removesuffix", 1, RemoveMethod<false>},
    {"replace", 3, ReplaceMethod},
    {"rfind", 3, FindMethodOf<true, false>},
    {"rindex", 3, FindMethodOf<true, true>},
    {"rjust", 2, JustifyMethod<1>},
    {"rpartition", 1, PartitionMethod<true>},
    {"rsplit", 2, SplitMethod<true>},
    {"rstrip", 1, StripMethod<false, true>},
    {"split", 2, SplitMethod<false>},
    {"splitlines", 1,
     [](Limits&, const Text& s, const Arguments& a) -> Result<Value> {
       const Value* keep = a.Find(0, "keepends");
       return Value::OfList(SplitLines(s, keep != nullptr && keep->Truth()));
     }},
    {"startswith", 3, AffixMethod<false>},
    {"strip", 1, StripMethod<true, true>},
    {"swapcase", 0, MapCase<SwappedCase>},
    {"title", 0, MapCase<TitleCase>},
    {"upper", 0, MapCase<UpperCase>},
    {"zfill", 1, ZeroFill},
};

Value AsMarkup(const Value& v) {
  if (v.Is(Kind::kString)) return Value::Markup(v.AsText());
  if (!v.IsSequence()) return v;
  List out;
  for (const Value& item : v.AsList()) out.push_back(AsMarkup(item));
  return Value::OfList(std::move(out), v.kind());
}

Value TextMethodOf(Limits& limits, const Value& object, const std::string& name) {
  for (const NamedMethod& m : kTextMethods) {
    if (m.name != name) continue;
    return Value::OfFunction([&limits, &m, object](Arguments& a) -> Result<Value> {
      if (a.positional.size() + a.named.size() > m.most_arguments)
        return Invalid(Str(m.name, ": expected at most ", m.most_arguments, " arguments"));
      const size_t size = object.AsText().size();
      DUNNOCK_TRY_STATUS(limits.Charge(1 + size / 16));
      // A search may compare the whole of what is sought at every place.
      for (const Value& v : a.positional) {
        if (v.Is(Kind::kString))
          DUNNOCK_TRY_STATUS(limits.Charge(size / 64 * (v.AsText().size() / 64)));
      }
      DUNNOCK_TRY(Value out, m.call(limits, object.AsText(), a));
      DUNNOCK_TRY_STATUS(limits.Charge(out.weight()));
      return object.markup() ? AsMarkup(out) : out;
    });
  }
  return Value();
}

Value DictMethod(Limits& limits, const Value& object, const std::string& name) {
  if (name == "items" || name == "keys" || name == "values" || name == "copy") {
    return Value::OfFunction([&limits, name, object](Arguments& a) -> Result<Value> {
      if (!a.positional.empty() || !a.named.empty())
        return Invalid(Str(name, ": expected no arguments"));
      DUNNOCK_TRY_STATUS(limits.Charge(object.AsDict().size()));
      if (name == "copy") return Value::OfDict(object.AsDict());
      List out;
      for (const auto& [k, v] : object.AsDict())
        out.push_back(name == "items" ? Value::OfTuple({k, v}) : name == "keys" ? k : v);
      return Value::OfList(std::move(out), name == "items"  ? Kind::kDictItems
                                           : name == "keys" ? Kind::kDictKeys
                                                            : Kind::kDictValues);
    });
  }
  if (name != "get") return Value();
  return Value::OfFunction([object](Arguments& a) -> Result<Value> {
    if (a.positional.empty() || a.positional.size() > 2 || !a.named.empty())
      return Invalid("get: expected a key, and what else to give");
    if (!IsHashable(a.positional[0])) return WrongType("get", a.positional[0], "a key");
    for (const auto& [k, v] : object.AsDict()) {
      if (Equal(k, a.positional[0])) return v;
    }
    return a.positional.size() > 1 ? a.positional[1] : Value(None{});
  });
}

Value ListMethod(Limits& limits, const Value& object, const std::string& name) {
  if (name == "copy" && object.Is(Kind::kList))
    return Value::OfFunction(
        [object](Arguments&) -> Result<Value> { return Value::OfList(object.AsList()); });
  if (name != "index" && name != "count") return Value();
  return Value::OfFunction([&limits, name, object](Arguments& a) -> Result<Value> {
    if (a.positional.empty()) return Invalid(Str(name, ": expected a value"));
    DUNNOCK_TRY_STATUS(limits.Charge(
        std::min(object.weight(), a.positional[0].weight() * object.AsList().size())));
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

// Methods that would change their object: the sandbox hides them.
constexpr std::string_view kHidden[] = {"append",     "clear",   "extend", "insert",
                                        "pop",        "popitem", "remove", "reverse",
                                        "setdefault", "sort",    "update"};

}  // namespace

Value FindMethod(Limits& limits, const Value& object, const std::string& name) {
  Value method;
  if (object.Is(Kind::kString)) method = TextMethodOf(limits, object, name);
  if (object.Is(Kind::kDict)) method = DictMethod(limits, object, name);
  if (object.IsSequence()) method = ListMethod(limits, object, name);
  return method;
}

bool IsHiddenMethod(const Value& object, const std::string& name) {
  return (object.Is(Kind::kDict) || object.Is(Kind::kList)) &&
         std::find(std::begin(kHidden), std::end(kHidden), name) != std::end(kHidden);
}

}  // namespace dunnock::jinja
