// Filters that make a text of the value first.

#include <algorithm>

#include "base/str.h"
#include "base/text/utf8.h"
#include "jinja/builtins/case.h"
#include "jinja/builtins/filters.h"
#include "jinja/builtins/format.h"
#include "unicode/characters.h"

namespace dunnock::jinja {
namespace {

// Of an argument that ought to be a string. Large values are not worth their text.
Text ArgumentText(const Value* v) {
  return v == nullptr || v->weight() > 100'000 ? Text() : v->Printed();
}

// "safe" and "escape" mark a text as finished HTML; what jinja2 makes of it keeps the mark.
Value Like(const Value& original, Text text) {
  return original.markup() ? Value::Markup(std::move(text)) : Value(std::move(text));
}

Result<Value> Trim(Limits& limits, const Arguments& a) {
  DUNNOCK_TRY(const Text text, limits.Print(a.positional[0]));
  const Value* chars = a.Find(1, "chars");
  if (chars == nullptr || chars->Is(Kind::kNone))
    return Like(a.positional[0], Strip(text, nullptr, true, true));
  if (!chars->Is(Kind::kString)) return WrongType("trim", *chars, "a string");
  return Like(a.positional[0], Strip(text, &chars->AsText().str(), true, true));
}

template <std::string (*kMap)(const std::string&)>
Result<Value> MapCase(Limits& limits, const Arguments& a) {
  DUNNOCK_TRY(const Text text, limits.Print(a.positional[0]));
  DUNNOCK_TRY_STATUS(limits.Charge(text.size() / 16));
  return Like(a.positional[0], Text(kMap(text.str()), text.trusted()));
}

Result<Value> String(Limits& limits, const Arguments& a) {
  DUNNOCK_TRY(Text text, limits.Print(a.positional[0]));
  return Like(a.positional[0], std::move(text));
}

Result<Value> Safe(Limits& limits, const Arguments& a) {
  DUNNOCK_TRY(Text text, limits.Print(a.positional[0]));
  return Value::Markup(std::move(text));
}

Result<Value> Escape(Limits& limits, const Arguments& a) {
  DUNNOCK_TRY(Text text, limits.Print(a.positional[0]));
  DUNNOCK_TRY_STATUS(limits.Charge(text.size()));
  return Value::Markup(a.positional[0].markup() ? std::move(text) : EscapeHtml(text));
}

Result<Value> ForceEscape(Limits& limits, const Arguments& a) {
  DUNNOCK_TRY(const Text text, limits.Print(a.positional[0]));
  DUNNOCK_TRY_STATUS(limits.Charge(text.size()));
  return Value::Markup(EscapeHtml(text));
}

Result<Value> WordCount(Limits& limits, const Arguments& a) {
  DUNNOCK_TRY(const Text text, limits.Print(a.positional[0]));
  DUNNOCK_TRY_STATUS(limits.Charge(text.size() / 16));
  int64_t words = 0;
  bool inside = false;
  for (const char32_t c : ToUtf32(text.str())) {
    const bool word = IsLetter(c) || IsNumber(c) || c == '_';
    if (word && !inside) ++words;
    inside = word;
  }
  return Value(words);
}

Result<Value> ReplaceFilter(Limits& limits, const Arguments& a) {
  const Value *from = a.Find(1, "old"), *to = a.Find(2, "new"), *count = a.Find(3, "count");
  if (from == nullptr || to == nullptr) return Invalid("replace: expected two strings");
  if (count != nullptr && count->Is(Kind::kNone)) count = nullptr;
  DUNNOCK_TRY(const int64_t most, IntegerArgument("replace", count, -1));
  DUNNOCK_TRY(const Text text, limits.Print(a.positional[0]));
  DUNNOCK_TRY_STATUS(CheckReplaced(limits, text, ArgumentText(from), ArgumentText(to)));
  return Value(Replace(text, ArgumentText(from), ArgumentText(to), most));
}

Result<Value> Indent(Limits& limits, const Arguments& a) {
  if (!a.positional[0].Is(Kind::kString)) return WrongType("indent", a.positional[0], "a string");
  const Value* width = a.Find(1, "width");
  Text pad;
  if (width != nullptr && width->Is(Kind::kString)) {
    pad = width->AsText();
  } else {
    DUNNOCK_TRY(const int64_t n, IntegerArgument("indent", width, 4));
    if (n > 1000) return Fail(ErrorCode::kLimit, "indent: by more than 1000");
    pad = Text(std::string(static_cast<size_t>(std::max<int64_t>(n, 0)), ' '), true);
  }
  const bool first = FlagArgument(a.Find(2, "first"), false),
             blank = FlagArgument(a.Find(3, "blank"), false);
  Text text = a.positional[0].AsText();
  text.Append(Text("\n", true));
  const List lines = SplitLines(text, false);
  Text out;
  for (size_t i = 0; i < lines.size(); ++i) {
    const Text& line = lines[i].AsText();
    if (i > 0) out.Append(Text("\n", true));
    if (i > 0 ? blank || line.size() > 0 : first) out.Append(pad);
    out.Append(line);
    if (out.size() > limits.max_bytes) break;
  }
  DUNNOCK_TRY_STATUS(limits.CheckSize(out));
  DUNNOCK_TRY_STATUS(limits.Charge(lines.size()));
  return Like(a.positional[0], out);
}

Result<Value> Center(Limits& limits, const Arguments& a) {
  DUNNOCK_TRY(const Text text, limits.Print(a.positional[0]));
  const Value* given = a.Find(1, "width");
  Arguments width{{given == nullptr ? Value(int64_t{80}) : *given}, {}};
  DUNNOCK_TRY(const Value out, FindMethod(limits, text, "center").AsFunction()(width));
  return Like(a.positional[0], out.AsText());
}

Result<Value> Format(Limits& limits, const Arguments& a) {
  DUNNOCK_TRY(const Text text, limits.Print(a.positional[0]));
  if (a.named.empty())
    return FormatPercent(limits, text,
                         Value::OfTuple(List(a.positional.begin() + 1, a.positional.end())));
  if (a.positional.size() > 1)
    return Invalid("format: values come by position or by name, not both");
  Dict named;
  for (const auto& [key, value] : a.named) SetItem(named, Value::Trusted(key), value);
  return FormatPercent(limits, text, Value::OfDict(std::move(named)));
}

Result<Value> Truncate(Limits& limits, const Arguments& a) {
  const Value& v = a.positional[0];
  DUNNOCK_TRY(const int64_t length, IntegerArgument("truncate", a.Find(1, "length"), 255));
  const Value *given = a.Find(3, "end"), *slack = a.Find(4, "leeway");
  if (given != nullptr && !given->Is(Kind::kString))
    return WrongType("truncate", *given, "a string");
  if (slack != nullptr && slack->Is(Kind::kNone)) slack = nullptr;
  DUNNOCK_TRY(const int64_t leeway, IntegerArgument("truncate", slack, 5));
  const Text end = given == nullptr ? Text("...", true) : given->AsText();
  const auto end_size = static_cast<int64_t>(CountCharacters(end.str()));
  if (length < end_size || leeway < 0)
    return Invalid("truncate: the length is less than that of the end, or the leeway below 0");
  DUNNOCK_TRY(const Value size, ApplyFilter(limits, "length", {{v}, {}}));
  if (size.AsInt() - leeway <= length) return v;
  if (!v.Is(Kind::kString)) return WrongType("truncate", v, "a string");
  Text out = TextSlice(v.AsText(), 0, static_cast<size_t>(length - end_size));
  const size_t space = out.str().rfind(' ');
  if (!FlagArgument(a.Find(2, "killwords"), false) && space != std::string::npos)
    out = out.Slice(0, space);
  out.Append(end);
  return Like(v, out);
}

std::string Quoted(const std::string& text, bool query) {
  std::string out;
  for (const char c : text) {
    if (std::isalnum(static_cast<uint8_t>(c)) ||
        std::string_view("_.-~").find(c) != std::string::npos || (c == '/' && !query)) {
      out += c;
    } else if (c == ' ' && query) {
      out += '+';
    } else {
      static constexpr char kHex[] = "0123456789ABCDEF";
      out += Str('%', kHex[static_cast<uint8_t>(c) >> 4], kHex[static_cast<uint8_t>(c) & 15]);
    }
  }
  return out;
}

Result<Value> UrlEncode(Limits& limits, const Arguments& a) {
  const Value& v = a.positional[0];
  DUNNOCK_TRY_STATUS(limits.Charge(64 * v.weight()));
  if (v.Is(Kind::kString) || !(v.IsSequence() || v.Is(Kind::kDict))) {
    const Text text = v.Printed();
    return Value(Text(Quoted(text.str(), false), text.trusted()));
  }
  List pairs;
  if (v.Is(Kind::kDict)) {
    for (const auto& [key, value] : v.AsDict()) pairs.push_back(Value::OfTuple({key, value}));
  } else {
    pairs = v.AsList();
  }
  std::string out;
  for (const Value& pair : pairs) {
    DUNNOCK_TRY(const List two, Elements(pair));
    if (two.size() != 2) return Invalid("urlencode: expected pairs");
    out += Str(out.empty() ? "" : "&", Quoted(two[0].Printed().str(), true), "=",
               Quoted(two[1].Printed().str(), true));
  }
  return Value(Text(out, v.Trusted()));
}

constexpr NamedFilter kFilters[] = {
    {"capitalize", 1, MapCase<Capitalized>},
    {"center", 2, Center},
    {"e", 1, Escape},
    {"escape", 1, Escape},
    {"forceescape", 1, ForceEscape},
    {"format", SIZE_MAX, Format},
    {"indent", 4, Indent},
    {"lower", 1, MapCase<LowerCase>},
    {"replace", 4, ReplaceFilter},
    {"safe", 1, Safe},
    {"string", 1, String},
    {"title", 1, MapCase<TitleCaseOfWords>},
    {"trim", 2, Trim},
    {"truncate", 5, Truncate},
    {"upper", 1, MapCase<UpperCase>},
    {"urlencode", 1, UrlEncode},
    {"wordcount", 1, WordCount},
};

}  // namespace

std::span<const NamedFilter> TextFilters() { return kFilters; }

}  // namespace dunnock::jinja
