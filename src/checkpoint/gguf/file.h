#pragma once
// GGUF's container (docs/formats/gguf.md): typed metadata and tensors by their ggml names. Nothing
// is copied: values and tensors are views of the file, which must outlive them. What the names mean
// in Hugging Face's dialect is gguf.h's business.

#include <cstring>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "checkpoint/checkpoint.h"

namespace dunnock {

enum class GgufType : uint32_t {
  kU8,
  kI8,
  kU16,
  kI16,
  kU32,
  kI32,
  kF32,
  kBool,
  kString,
  kArray,
  kU64,
  kI64,
  kF64,
};

struct GgufValue {
  GgufType type = GgufType::kU8;
  GgufType element = GgufType::kU8;  // of an array
  uint64_t count = 1;                // elements of an array
  ByteSpan bytes;                    // of a string the text, of an array the elements
};

struct GgufFile {
  std::map<std::string, GgufValue, std::less<>> metadata;
  TensorMap tensors;  // shapes outermost first, contrary to the file

  const GgufValue* Find(std::string_view key) const;
  // nullopt when the key is absent; an error when its type is another (any width of integer, and
  // either width of float, will do).
  Result<std::optional<uint64_t>> Uint(std::string_view key) const;
  Result<std::optional<double>> Number(std::string_view key) const;
  Result<std::optional<bool>> Bool(std::string_view key) const;
  Result<std::optional<std::string>> String(std::string_view key) const;
  // Empty when the key is absent.
  Result<std::vector<std::string_view>> Strings(std::string_view key) const;
  Result<std::vector<float>> Floats(std::string_view key) const;
  Result<std::vector<int32_t>> Ints(std::string_view key) const;

  Result<uint64_t> RequiredUint(std::string_view key) const;
  Result<double> RequiredNumber(std::string_view key) const;
};

Result<GgufFile> ReadGgufFile(ByteSpan file);

}  // namespace dunnock
