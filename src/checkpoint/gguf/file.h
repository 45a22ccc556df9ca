#pragma once
// GGUF's container (docs/formats/gguf.md): typed metadata, and tensors by their ggml names. Values
// and tensors are views of the file, which must outlive them; nothing is copied. gguf.h translates
// the names to Hugging Face's.

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
  GgufType element = GgufType::kU8;  // arrays: type of the elements
  uint64_t count = 1;                // arrays: number of elements
  ByteSpan bytes;                    // strings: the text; arrays: the elements as stored
};

struct GgufFile {
  std::map<std::string, GgufValue, std::less<>> metadata;
  TensorMap tensors;  // shapes with the outermost dimension first, unlike in the file

  const GgufValue* Find(std::string_view key) const;
  // nullopt if the key is absent; kInvalid if it has another type. Integers may have any width,
  // floats either.
  Result<std::optional<uint64_t>> Uint(std::string_view key) const;
  Result<std::optional<double>> Number(std::string_view key) const;
  Result<std::optional<bool>> Bool(std::string_view key) const;
  Result<std::optional<std::string>> String(std::string_view key) const;
  // Arrays; empty if the key is absent.
  Result<std::vector<std::string_view>> Strings(std::string_view key) const;
  Result<std::vector<float>> Floats(std::string_view key) const;
  Result<std::vector<int32_t>> Ints(std::string_view key) const;

  Result<uint64_t> RequiredUint(std::string_view key) const;
  Result<double> RequiredNumber(std::string_view key) const;
};

// The number of a dtype in a file; a DUNNOCK_CHECK unless GGUF has it.
uint32_t GgmlTypeOf(DType dtype);

// kInvalid, kUnsupported or kLimit for a file that breaks the format. Versions 2 and 3.
Result<GgufFile> ReadGgufFile(ByteSpan file);

}  // namespace dunnock
