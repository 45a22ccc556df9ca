#pragma once
// JSON, all of it behind this header. ParseJson never throws; it limits depth (a hostile file may
// nest a million brackets) and its error says line and column.
//
// Json keeps keys sorted and looks them up in log n (configs, vocabularies); OrderedJson keeps the
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

Result<Json> ParseJson(std::string_view text);
// The same, showing each value to nlohmann's callback, which may leave it out.
Result<Json> ParseJson(std::string_view text, const Json::parser_callback_t& callback);
Result<OrderedJson> ParseOrderedJson(std::string_view text);

// Compact text; bytes that are not UTF-8 become U+FFFD.
std::string DumpJson(const Json& json);
std::string DumpJson(const OrderedJson& json);
std::string DumpJsonPretty(const OrderedJson& json);

// Typed look-ups. The optional ones give nullopt when the key is absent or null, or of another
// type; the Required ones say which key, what was expected and what was found.
const Json* FindMember(const Json& object, std::string_view key);  // nullptr: absent or null
std::optional<int64_t> FindInt(const Json& object, std::string_view key);
std::optional<double> FindNumber(const Json& object, std::string_view key);
std::optional<bool> FindBool(const Json& object, std::string_view key);
std::optional<std::string> FindString(const Json& object, std::string_view key);
Result<int64_t> RequiredInt(const Json& object, std::string_view key, int64_t min, int64_t max);
Result<std::string> RequiredString(const Json& object, std::string_view key);

}  // namespace dunnock
