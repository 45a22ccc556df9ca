#include "jinja/print.h"

#include <charconv>
#include <cmath>
#include <cstdio>

#include "base/str.h"
#include "base/text/utf8.h"
#include "unicode/characters.h"

namespace dunnock::jinja {
namespace {

bool Printable(char32_t c) {
  switch (CategoryOf(c)) {
    case Category::kCc:
    case Category::kCf:
    case Category::kCs:
    case Category::kCo:
    case Category::kCn:
    case Category::kZl:
    case Category::kZp:
      return false;
    case Category::kZs:
      return c == ' ';
    default:
      return true;
  }
}

void AppendHex(std::string& out, const char* format, char32_t c) {
  char hex[12];
  std::snprintf(hex, sizeof hex, format, static_cast<unsigned>(c));
  out += hex;
}

std::string QuotedRepr(const std::string& text) {
  const bool has_single = text.find('\'') != std::string::npos,
             has_double = text.find('"') != std::string::npos;
  const char32_t quote = has_single && !has_double ? '"' : '\'';
  std::string out(1, static_cast<char>(quote));
  for (const char32_t c : ToUtf32(text)) {
    if (c == '\n') {
      out += "\\n";
    } else if (c == '\r') {
      out += "\\r";
    } else if (c == '\t') {
      out += "\\t";
    } else if (c == '\\' || c == quote) {
      out += '\\';
      out += static_cast<char>(c);
    } else if (Printable(c)) {
      AppendUtf8(out, c);
    } else {
      AppendHex(out, c < 0x100 ? "\\x%02x" : c < 0x10000 ? "\\u%04x" : "\\U%08x", c);
    }
  }
  return out + static_cast<char>(quote);
}

void AppendRepr(std::string& out, const Value& v, bool nested);

void AppendAll(std::string& out, const List& items) {
  for (size_t i = 0; i < items.size(); ++i) {
    if (i > 0) out += ", ";
    AppendRepr(out, items[i], true);
  }
}

void AppendDict(std::string& out, const Dict& items) {
  out += '{';
  for (size_t i = 0; i < items.size(); ++i) {
    if (i > 0) out += ", ";
    AppendRepr(out, items[i].first, true);
    out += ": ";
    AppendRepr(out, items[i].second, true);
  }
  out += '}';
}

void AppendRepr(std::string& out, const Value& v, bool nested) {
  switch (v.kind()) {
    case Kind::kUndefined:
      out += "Undefined";
      return;
    case Kind::kNone:
      out += "None";
      return;
    case Kind::kBool:
      out += v.AsInt() != 0 ? "True" : "False";
      return;
    case Kind::kInt:
      out += std::to_string(v.AsInt());
      return;
    case Kind::kFloat:
      out += FloatRepr(v.AsFloat());
      return;
    case Kind::kString:
      out += v.markup() ? "Markup(" + QuotedRepr(v.AsText().str()) + ")"
                        : QuotedRepr(v.AsText().str());
      return;
    case Kind::kList:
    case Kind::kTuple:
      out += v.Is(Kind::kList) ? '[' : '(';
      AppendAll(out, v.AsList());
      out += v.Is(Kind::kList) ? "]" : v.AsList().size() == 1 ? ",)" : ")";
      return;
    case Kind::kRange: {
      const List& items = v.AsList();
      const int64_t first = items.empty() ? 0 : items[0].AsInt(),
                    step = items.size() < 2 ? 1 : items[1].AsInt() - first;
      out += Str("range(", first, ", ", items.empty() ? 0 : items.back().AsInt() + step,
                 step == 1 ? "" : Str(", ", step), ")");
      return;
    }
    case Kind::kDictItems:
    case Kind::kDictKeys:
    case Kind::kDictValues:
      out += v.Is(Kind::kDictItems)  ? "dict_items(["
             : v.Is(Kind::kDictKeys) ? "dict_keys(["
                                     : "dict_values([";
      AppendAll(out, v.AsList());
      out += "])";
      return;
    case Kind::kGenerator:
      out += "<generator object>";
      return;
    case Kind::kDict:
      AppendDict(out, v.AsDict());
      return;
    case Kind::kNamespace:  // it may have grown since its holder was weighed
      out += "<Namespace ";
      if (!nested) AppendDict(out, v.AsDict());
      out += '>';
      return;
    case Kind::kFunction:
      out += "<function>";
      return;
    case Kind::kObject:
      out += v.AsObject().Shown();
      return;
  }
}

std::string QuotedJson(const std::string& text, bool ascii) {
  if (!ascii) return DumpJson(Json(text));
  std::string out = "\"";
  for (const char32_t c : ToUtf32(text)) {
    if (c >= 0x10000) {
      AppendHex(out, "\\u%04x", 0xD800 + ((c - 0x10000) >> 10));
      AppendHex(out, "\\u%04x", 0xDC00 + ((c - 0x10000) & 0x3FF));
    } else if (c >= 0x7F) {
      AppendHex(out, "\\u%04x", c);
    } else {
      const std::string quoted = DumpJson(Json(std::string(1, static_cast<char>(c))));
      out.append(quoted, 1, quoted.size() - 2);
    }
  }
  return out + '"';
}

class JsonWriter {
 public:
  JsonWriter(const JsonStyle& style, size_t most_bytes) : style_(style), most_(most_bytes) {}

  Status Write(const Value& v, int depth) {
    if (out_.size() > most_)
      return Fail(ErrorCode::kLimit, Str("tojson: more than ", most_, " bytes"));
    switch (v.kind()) {
      case Kind::kNone:
        out_ += "null";
        return {};
      case Kind::kBool:
        out_ += v.AsInt() != 0 ? "true" : "false";
        return {};
      case Kind::kInt:
        out_ += std::to_string(v.AsInt());
        return {};
      case Kind::kFloat:
        out_ += Number(v.AsFloat());
        return {};
      case Kind::kString:
        out_ += QuotedJson(v.AsText().str(), style_.ascii);
        return {};
      case Kind::kList:
      case Kind::kTuple:
        return WriteList(v.AsList(), depth);
      case Kind::kDict:
        return WriteDict(v.AsDict(), depth);
      default:
        return Invalid(Str("tojson: ", v.TypeName(), " is not JSON"));
    }
  }
  std::string Take() { return std::move(out_); }

 private:
  static std::string Number(double v) {
    return std::isnan(v)   ? "NaN"
           : std::isinf(v) ? (v < 0 ? "-Infinity" : "Infinity")
                           : FloatRepr(v);
  }
  void NewLine(int depth) {
    if (!style_.lines) return;
    out_ += '\n';
    for (int i = 0; i < depth; ++i) out_ += style_.indent;
  }
  Status WriteList(const List& items, int depth) {
    if (items.empty()) {
      out_ += "[]";
      return {};
    }
    out_ += '[';
    for (size_t i = 0; i < items.size(); ++i) {
      if (i > 0) out_ += style_.item;
      NewLine(depth + 1);
      DUNNOCK_TRY_STATUS(Write(items[i], depth + 1));
    }
    NewLine(depth);
    out_ += ']';
    return {};
  }
  Status WriteDict(const Dict& items, int depth) {
    if (items.empty()) {
      out_ += "{}";
      return {};
    }
    std::vector<size_t> order(items.size());
    for (size_t i = 0; i < order.size(); ++i) order[i] = i;
    if (style_.sort_keys) {
      List keys;
      for (const auto& item : items) keys.push_back(item.first);
      DUNNOCK_TRY(order, SortedOrder(keys, false));
    }
    out_ += '{';
    bool first = true;
    for (const size_t i : order) {
      if (!std::exchange(first, false)) out_ += style_.item;
      NewLine(depth + 1);
      const Value& key = items[i].first;
      if (!key.Is(Kind::kString) && !key.IsNumber() && !key.Is(Kind::kNone))
        return Invalid(Str("tojson: a key cannot be ", key.TypeName()));
      const bool quoted = !key.Is(Kind::kString);
      if (quoted) out_ += '"';
      DUNNOCK_TRY_STATUS(Write(key, depth + 1));
      if (quoted) out_ += '"';
      out_ += style_.key;
      DUNNOCK_TRY_STATUS(Write(items[i].second, depth + 1));
    }
    NewLine(depth);
    out_ += '}';
    return {};
  }

  const JsonStyle& style_;
  size_t most_;
  std::string out_;
};

}  // namespace

std::string FloatRepr(double v) {
  if (std::isnan(v)) return "nan";
  if (std::isinf(v)) return v < 0 ? "-inf" : "inf";
  char digits[32];
  const auto end =
      std::to_chars(digits, digits + sizeof digits, v, std::chars_format::scientific).ptr;
  std::string mantissa(digits, static_cast<size_t>(end - digits));
  const int exponent = std::atoi(mantissa.c_str() + mantissa.find('e') + 1);
  if (exponent < -4 || exponent >= 16) return mantissa;
  const auto fixed = std::to_chars(digits, digits + sizeof digits, v, std::chars_format::fixed).ptr;
  std::string out(digits, static_cast<size_t>(fixed - digits));
  if (out.find('.') == std::string::npos) out += ".0";
  return out;
}

std::string Repr(const Value& value) {
  std::string out;
  AppendRepr(out, value, false);
  return out;
}

Result<std::string> ToJson(const Value& value, const JsonStyle& style, size_t most_bytes) {
  JsonWriter writer(style, most_bytes);
  DUNNOCK_TRY_STATUS(writer.Write(value, 0));
  return writer.Take();
}

}  // namespace dunnock::jinja
