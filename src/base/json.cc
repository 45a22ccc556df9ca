#include "base/json.h"

#include <algorithm>

#include "base/str.h"
#include "base/text/shown.h"

namespace dunnock {
namespace {

// The parser itself does not recurse, but what walks the tree afterwards does.
Status CheckDepth(std::string_view text) {
  int depth = 0;
  bool in_string = false;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string) {
      if (c == '\\') {
        ++i;
      } else if (c == '"') {
        in_string = false;
      }
    } else if (c == '"') {
      in_string = true;
    } else if (c == '[' || c == '{') {
      if (++depth > kMaxJsonDepth) {
        return Fail(ErrorCode::kLimit,
                    Str("JSON nests deeper than ", kMaxJsonDepth, " levels at byte ", i));
      }
    } else if (c == ']' || c == '}') {
      --depth;
    }
  }
  return {};
}

template <typename J>
Result<J> Parse(std::string_view text, const typename J::parser_callback_t& callback = nullptr) {
  DUNNOCK_TRY_STATUS(CheckDepth(text));
  try {
    return J::parse(text.begin(), text.end(), callback);
  } catch (const nlohmann::json::parse_error& e) {
    const size_t at = std::min(text.size(), e.byte > 0 ? e.byte - 1 : 0);
    const auto line =
        1 + std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(at), '\n');
    const size_t start = text.rfind('\n', at > 0 ? at - 1 : 0);
    const size_t column = start == std::string_view::npos || start >= at ? at + 1 : at - start;
    std::string reason = e.what();
    // "[json.exception.parse_error.101] parse error at line 1, column 2: syntax error ..."
    if (const size_t colon = reason.find(": "); colon != std::string::npos)
      reason.erase(0, colon + 2);
    return Invalid(Str("not valid JSON at line ", line, ", column ", column, ": ", reason));
  } catch (const nlohmann::json::exception& e) {
    return Invalid(Str("not valid JSON: ", e.what()));
  }
}

}  // namespace

Result<Json> ParseJson(std::string_view text) { return Parse<Json>(text); }
Result<Json> ParseJson(std::string_view text, const Json::parser_callback_t& callback) {
  return Parse<Json>(text, callback);
}
Result<OrderedJson> ParseOrderedJson(std::string_view text) { return Parse<OrderedJson>(text); }

std::string DumpJson(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}
std::string DumpJson(const OrderedJson& json) {
  return json.dump(-1, ' ', false, OrderedJson::error_handler_t::replace);
}
std::string DumpJsonPretty(const OrderedJson& json) {
  return json.dump(2, ' ', false, OrderedJson::error_handler_t::replace);
}

const Json* FindMember(const Json& object, std::string_view key) {
  if (!object.is_object()) return nullptr;
  const auto it = object.find(key);
  return it == object.end() || it->is_null() ? nullptr : &*it;
}

std::optional<int64_t> FindInt(const Json& object, std::string_view key) {
  const Json* value = FindMember(object, key);
  if (value == nullptr || !value->is_number_integer()) return std::nullopt;
  if (value->is_number_unsigned() && value->get<uint64_t>() > INT64_MAX) return std::nullopt;
  return value->get<int64_t>();
}

std::optional<double> FindNumber(const Json& object, std::string_view key) {
  const Json* value = FindMember(object, key);
  if (value == nullptr || !value->is_number()) return std::nullopt;
  return value->get<double>();
}

std::optional<bool> FindBool(const Json& object, std::string_view key) {
  const Json* value = FindMember(object, key);
  if (value == nullptr || !value->is_boolean()) return std::nullopt;
  return value->get<bool>();
}

std::optional<std::string> FindString(const Json& object, std::string_view key) {
  const Json* value = FindMember(object, key);
  if (value == nullptr || !value->is_string()) return std::nullopt;
  return value->get<std::string>();
}

Result<int64_t> RequiredInt(const Json& object, std::string_view key, int64_t min, int64_t max) {
  const Json* value = FindMember(object, key);
  if (value == nullptr) return Invalid(Str("\"", key, "\" is missing: expected an integer"));
  const auto number = FindInt(object, key);
  if (!number || *number < min || *number > max) {
    return Invalid(
        Str("\"", key, "\" is ", Shown(*value), ": expected an integer from ", min, " to ", max));
  }
  return *number;
}

Result<std::string> RequiredString(const Json& object, std::string_view key) {
  const Json* value = FindMember(object, key);
  if (value == nullptr) return Invalid(Str("\"", key, "\" is missing: expected a string"));
  if (!value->is_string()) {
    return Invalid(Str("\"", key, "\" is ", Shown(*value), ": expected a string"));
  }
  return value->get<std::string>();
}

}  // namespace dunnock
