#pragma once
// JSON: the one header through which nlohmann-json is used. The functions here do not throw.
//
// Json keeps keys sorted and finds them in O(log n) (configs, vocabularies); OrderedJson keeps the
// order of the text, which chat templates show to the model (messages, tools) and replies keep.

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace dunnock {

using Json = nlohmann::json;
using OrderedJson = nlohmann::ordered_json;

inline constexpr int kMaxJsonDepth = 128;

// kInvalid, with line and column, if the text is not JSON or nests deeper than kMaxJsonDepth (a
// hostile file may nest a million brackets).
Result<Json> ParseJson(std::string_view text);
// The same with nlohmann's callback, which sees each value and may leave it out.
Result<Json> ParseJson(std::string_view text, const Json::parser_callback_t& callback);
Result<OrderedJson> ParseOrderedJson(std::string_view text);

// Compact text; bytes that are not UTF-8 become U+FFFD.
std::string DumpJson(const Json& json);
std::string DumpJson(const OrderedJson& json);
std::string DumpJsonPretty(const OrderedJson& json);

// Typed look-ups in an object; anything but an object has no members. The Find functions give
// nullopt if the key is absent, null or of another type. The Required functions give kInvalid then,
// or if the number is out of range, with the key, what was expected and what was found.
const Json* FindMember(const Json& object, std::string_view key);  // nullptr: absent or null
std::optional<int64_t> FindInt(const Json& object, std::string_view key);
std::optional<double> FindNumber(const Json& object, std::string_view key);
std::optional<bool> FindBool(const Json& object, std::string_view key);
std::optional<std::string> FindString(const Json& object, std::string_view key);
Result<int64_t> RequiredInt(const Json& object, std::string_view key, int64_t min, int64_t max);
Result<std::string> RequiredString(const Json& object, std::string_view key);

}  // namespace dunnock
