// Typed look-ups in GGUF's metadata.

#include <charconv>
#include <cmath>

#include "base/str.h"
#include "checkpoint/gguf/file.h"

namespace dunnock {
namespace {

constexpr std::string_view kTypeNames[] = {"uint8",  "int8",    "uint16", "int16",  "uint32",
                                           "int32",  "float32", "bool",   "string", "array",
                                           "uint64", "int64",   "float64"};
std::string_view NameOf(GgufType type) { return kTypeNames[static_cast<uint32_t>(type)]; }

template <typename T>
T Load(ByteSpan bytes, size_t index = 0) {
  T value;
  std::memcpy(&value, bytes.data() + index * sizeof(T), sizeof(T));
  return value;
}

std::unexpected<Error> WrongType(std::string_view key, const GgufValue& value,
                                 std::string_view expected) {
  if (value.type == GgufType::kArray) {
    return Invalid(Str("metadata \"", key, "\" is an array of ", NameOf(value.element),
                       ": expected ", expected));
  }
  return Invalid(
      Str("metadata \"", key, "\" is of type ", NameOf(value.type), ": expected ", expected));
}

std::unexpected<Error> Missing(std::string_view key) {
  return Invalid(Str("metadata \"", key, "\" is missing"));
}

// A float32 in metadata stands for the shortest decimal number that rounds to it: 1e-5, not
// 9.99999974737875e-06.
double ShortestDecimal(float value) {
  char text[64];
  const auto end = std::to_chars(text, text + sizeof text, value).ptr;
  const auto json = ParseJson(std::string_view(text, static_cast<size_t>(end - text)));
  return json && json->is_number() ? json->get<double>() : static_cast<double>(value);
}

}  // namespace

const GgufValue* GgufFile::Find(std::string_view key) const {
  const auto it = metadata.find(key);
  return it == metadata.end() ? nullptr : &it->second;
}

Result<std::optional<uint64_t>> GgufFile::Uint(std::string_view key) const {
  const GgufValue* value = Find(key);
  if (value == nullptr) return std::nullopt;
  int64_t number = 0;
  switch (value->type) {
    case GgufType::kU8:
      number = Load<uint8_t>(value->bytes);
      break;
    case GgufType::kI8:
      number = Load<int8_t>(value->bytes);
      break;
    case GgufType::kU16:
      number = Load<uint16_t>(value->bytes);
      break;
    case GgufType::kI16:
      number = Load<int16_t>(value->bytes);
      break;
    case GgufType::kU32:
      number = Load<uint32_t>(value->bytes);
      break;
    case GgufType::kI32:
      number = Load<int32_t>(value->bytes);
      break;
    case GgufType::kU64:
      return Load<uint64_t>(value->bytes);
    case GgufType::kI64:
      number = Load<int64_t>(value->bytes);
      break;
    default:
      return WrongType(key, *value, "an integer");
  }
  if (number < 0) {
    return Invalid(Str("metadata \"", key, "\" is ", number, ": expected it not to be negative"));
  }
  return static_cast<uint64_t>(number);
}

Result<std::optional<double>> GgufFile::Number(std::string_view key) const {
  const GgufValue* value = Find(key);
  if (value == nullptr) return std::nullopt;
  double number;
  if (value->type == GgufType::kF32) {
    number = ShortestDecimal(Load<float>(value->bytes));
  } else if (value->type == GgufType::kF64) {
    number = Load<double>(value->bytes);
  } else {
    return WrongType(key, *value, "a float");
  }
  if (!std::isfinite(number)) return Invalid(Str("metadata \"", key, "\" is not finite"));
  return number;
}

Result<std::optional<bool>> GgufFile::Bool(std::string_view key) const {
  const GgufValue* value = Find(key);
  if (value == nullptr) return std::nullopt;
  if (value->type != GgufType::kBool) return WrongType(key, *value, "a bool");
  return value->bytes[0] != 0;
}

Result<std::optional<std::string>> GgufFile::String(std::string_view key) const {
  const GgufValue* value = Find(key);
  if (value == nullptr) return std::nullopt;
  if (value->type != GgufType::kString) return WrongType(key, *value, "a string");
  return std::string(AsText(value->bytes));
}

Result<std::vector<std::string_view>> GgufFile::Strings(std::string_view key) const {
  std::vector<std::string_view> out;
  const GgufValue* value = Find(key);
  if (value == nullptr) return out;
  if (value->type != GgufType::kArray || value->element != GgufType::kString) {
    return WrongType(key, *value, "an array of strings");
  }
  ByteReader reader(value->bytes);  // its sizes were checked when the file was read
  while (const auto size = reader.Read<uint64_t>()) out.push_back(AsText(*reader.Take(*size)));
  return out;
}

Result<std::vector<float>> GgufFile::Floats(std::string_view key) const {
  const GgufValue* value = Find(key);
  if (value == nullptr) return std::vector<float>{};
  if (value->type != GgufType::kArray || value->element != GgufType::kF32) {
    return WrongType(key, *value, "an array of float32");
  }
  std::vector<float> out(value->count);
  for (size_t i = 0; i < out.size(); ++i) out[i] = Load<float>(value->bytes, i);
  return out;
}

Result<std::vector<int32_t>> GgufFile::Ints(std::string_view key) const {
  const GgufValue* value = Find(key);
  if (value == nullptr) return std::vector<int32_t>{};
  if (value->type != GgufType::kArray ||
      (value->element != GgufType::kI32 && value->element != GgufType::kU32)) {
    return WrongType(key, *value, "an array of int32");
  }
  std::vector<int32_t> out(value->count);
  for (size_t i = 0; i < out.size(); ++i) out[i] = Load<int32_t>(value->bytes, i);
  return out;
}

Result<uint64_t> GgufFile::RequiredUint(std::string_view key) const {
  DUNNOCK_TRY(const auto value, Uint(key));
  if (!value) return Missing(key);
  return *value;
}

Result<double> GgufFile::RequiredNumber(std::string_view key) const {
  DUNNOCK_TRY(const auto value, Number(key));
  if (!value) return Missing(key);
  return *value;
}

}  // namespace dunnock
