#include "text/jinja_value.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "base/str.h"
#include "base/utf8.h"

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
  if (begin >= end) return out;
  out.text_ = text_.substr(begin, end - begin);
  for (const Run& run : runs_) {
    if (run.end <= begin) continue;
    out.runs_.push_back({std::min(run.end, end) - begin, run.trusted});
    if (run.end >= end) break;
  }
  return out;
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
  switch (data_.index()) {
    case 0:
      return Kind::kUndefined;
    case 1:
      return Kind::kNone;
    case 2:
      return Kind::kBool;
    case 3:
      return Kind::kInt;
    case 4:
      return Kind::kFloat;
    case 5:
      return Kind::kString;
    default:
      return shape_;
  }
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
      return !AsList().empty();
    case Kind::kDict:
      return !AsDict().empty();
    default:
      return true;
  }
}

std::string FloatRepr(double v) {
  if (std::isnan(v)) return "nan";
  if (std::isinf(v)) return v < 0 ? "-inf" : "inf";
  char digits[32];
  const auto end =
      std::to_chars(digits, digits + sizeof digits, v, std::chars_format::scientific).ptr;
  std::string mantissa(digits, static_cast<size_t>(end - digits));
  const size_t e = mantissa.find('e');
  const int exponent = std::atoi(mantissa.c_str() + e + 1);
  if (exponent >= -4 && exponent < 16) {
    const auto fixed =
        std::to_chars(digits, digits + sizeof digits, v, std::chars_format::fixed).ptr;
    std::string out(digits, static_cast<size_t>(fixed - digits));
    if (out.find('.') == std::string::npos) out += ".0";
    return out;
  }
  return mantissa;
}

namespace {

std::string QuotedRepr(const std::string& text) {
  const bool has_single = text.find('\'') != std::string::npos,
             has_double = text.find('"') != std::string::npos;
  const char quote = has_single && !has_double ? '"' : '\'';
  std::string out(1, quote);
  for (const char c : text) {
    if (c == '\n')
      out += "\\n";
    else if (c == '\r')
      out += "\\r";
    else if (c == '\t')
      out += "\\t";
    else if (c == '\\')
      out += "\\\\";
    else if (c == quote)
      out += Str('\\', c);
    else if (static_cast<uint8_t>(c) < 32 || c == 127) {
      char hex[8];
      std::snprintf(hex, sizeof hex, "\\x%02x", static_cast<uint8_t>(c));
      out += hex;
    } else
      out += c;
  }
  return out + quote;
}

// Values nest as deep as JSON may; what a template builds is limited by its steps.
constexpr int kMostNesting = 256;

std::string ReprOf(const Value& v, int depth) {
  if (depth > kMostNesting) return "...";
  std::string out;
  switch (v.kind()) {
    case Kind::kUndefined:
      return "Undefined";
    case Kind::kNone:
      return "None";
    case Kind::kBool:
      return v.AsInt() != 0 ? "True" : "False";
    case Kind::kInt:
      return std::to_string(v.AsInt());
    case Kind::kFloat:
      return FloatRepr(v.AsFloat());
    case Kind::kString:
      return QuotedRepr(v.AsText().str());
    case Kind::kList:
    case Kind::kTuple: {
      const bool tuple = v.Is(Kind::kTuple);
      for (const Value& item : v.AsList())
        out += (out.empty() ? "" : ", ") + ReprOf(item, depth + 1);
      if (tuple) return "(" + out + (v.AsList().size() == 1 ? ",)" : ")");
      return "[" + out + "]";
    }
    case Kind::kDict:
      for (const auto& [key, value] : v.AsDict())
        out += (out.empty() ? "" : ", ") + ReprOf(key, depth + 1) + ": " + ReprOf(value, depth + 1);
      return "{" + out + "}";
    case Kind::kNamespace:
      return "<Namespace>";
    case Kind::kFunction:
      return "<function>";
  }
  return out;
}

bool TrustedAll(const Value& v, int depth) {
  if (depth > kMostNesting) return false;
  if (v.Is(Kind::kString)) return v.AsText().trusted();
  if (v.IsSequence())
    return std::all_of(v.AsList().begin(), v.AsList().end(),
                       [&](const Value& i) { return TrustedAll(i, depth + 1); });
  if (v.IsMapping()) {
    return std::all_of(v.AsDict().begin(), v.AsDict().end(), [&](const auto& i) {
      return TrustedAll(i.first, depth + 1) && TrustedAll(i.second, depth + 1);
    });
  }
  return true;
}

}  // namespace

std::string Value::Repr() const { return ReprOf(*this, 0); }
bool Value::Trusted() const { return TrustedAll(*this, 0); }

Text Value::Printed() const {
  if (Is(Kind::kString)) return AsText();
  if (Is(Kind::kUndefined)) return Text();
  return Text(Repr(), Trusted());
}

const Value* Value::Find(std::string_view key) const {
  for (const auto& [k, v] : AsDict()) {
    if (k.Is(Kind::kString) && k.AsText().str() == key) return &v;
  }
  return nullptr;
}

std::string Value::TypeName() const {
  static constexpr const char* kNames[] = {"undefined", "None",        "a boolean", "an integer",
                                           "a float",   "a string",    "a list",    "a tuple",
                                           "a dict",    "a namespace", "a function"};
  return kNames[static_cast<int>(kind())];
}

bool Equal(const Value& a, const Value& b) {
  if (a.IsNumber() && b.IsNumber())
    return a.Is(Kind::kFloat) || b.Is(Kind::kFloat) ? a.AsFloat() == b.AsFloat()
                                                    : a.AsInt() == b.AsInt();
  if (a.kind() != b.kind()) return false;
  if (a.Is(Kind::kString)) return a.AsText().str() == b.AsText().str();
  if (a.IsSequence())
    return std::equal(a.AsList().begin(), a.AsList().end(), b.AsList().begin(), b.AsList().end(),
                      Equal);
  if (a.Is(Kind::kDict)) {
    if (a.AsDict().size() != b.AsDict().size()) return false;
    return std::all_of(a.AsDict().begin(), a.AsDict().end(), [&](const auto& item) {
      return std::any_of(b.AsDict().begin(), b.AsDict().end(), [&](const auto& other) {
        return Equal(item.first, other.first) && Equal(item.second, other.second);
      });
    });
  }
  return a.Is(Kind::kNone) || a.Is(Kind::kUndefined);
}

Result<int> Compare(const Value& a, const Value& b) {
  if (a.IsNumber() && b.IsNumber()) {
    if (!a.Is(Kind::kFloat) && !b.Is(Kind::kFloat))
      return a.AsInt() < b.AsInt() ? -1 : a.AsInt() > b.AsInt() ? 1 : 0;
    return a.AsFloat() < b.AsFloat() ? -1 : a.AsFloat() > b.AsFloat() ? 1 : 0;
  }
  if (a.Is(Kind::kString) && b.Is(Kind::kString)) return a.AsText().str().compare(b.AsText().str());
  if (a.IsSequence() && a.kind() == b.kind()) {
    for (size_t i = 0; i < std::min(a.AsList().size(), b.AsList().size()); ++i) {
      DUNNOCK_TRY(const int order, Compare(a.AsList()[i], b.AsList()[i]));
      if (order != 0) return order;
    }
    return a.AsList().size() < b.AsList().size()   ? -1
           : a.AsList().size() > b.AsList().size() ? 1
                                                   : 0;
  }
  return Invalid(Str("cannot order ", a.TypeName(), " and ", b.TypeName()));
}

Result<std::string> ToJson(const Value& v, const JsonStyle& style, int depth) {
  if (depth > kMostNesting) return Fail(ErrorCode::kLimit, "tojson: nested too deeply");
  const bool lines = style.indent >= 0;
  const auto newline = [&](int level) {
    return lines ? "\n" + std::string(static_cast<size_t>(style.indent * level), ' ')
                 : std::string();
  };
  // Python drops the space behind a comma when it breaks the line there.
  const std::string item_end = lines && style.item == ", " ? "," : style.item;
  std::string out;
  switch (v.kind()) {
    case Kind::kNone:
      return "null";
    case Kind::kBool:
      return v.AsInt() != 0 ? "true" : "false";
    case Kind::kInt:
      return std::to_string(v.AsInt());
    case Kind::kFloat: {
      const std::string text = FloatRepr(v.AsFloat());
      return text == "nan"    ? "NaN"
             : text == "inf"  ? "Infinity"
             : text == "-inf" ? "-Infinity"
                              : text;
    }
    case Kind::kString:
      return DumpJson(Json(v.AsText().str()));
    case Kind::kList:
    case Kind::kTuple:
      if (v.AsList().empty()) return "[]";
      for (const Value& item : v.AsList()) {
        DUNNOCK_TRY(const std::string text, ToJson(item, style, depth + 1));
        out += (out.empty() ? "" : item_end) + newline(depth + 1) + text;
      }
      return "[" + out + newline(depth) + "]";
    case Kind::kDict: {
      if (v.AsDict().empty()) return "{}";
      Dict items = v.AsDict();
      if (style.sort_keys) {
        std::stable_sort(items.begin(), items.end(), [](const auto& a, const auto& b) {
          return a.first.Printed().str() < b.first.Printed().str();
        });
      }
      for (const auto& [key, value] : items) {
        DUNNOCK_TRY(const std::string name, ToJson(key, style, depth + 1));
        DUNNOCK_TRY(const std::string text, ToJson(value, style, depth + 1));
        out += (out.empty() ? "" : item_end) + newline(depth + 1) +
               (key.Is(Kind::kString) ? name : "\"" + name + "\"") + style.key + text;
      }
      return "{" + out + newline(depth) + "}";
    }
    default:
      return Invalid(Str("tojson: ", v.TypeName(), " is not JSON"));
  }
}

}  // namespace dunnock::jinja
