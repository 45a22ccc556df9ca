#pragma once
// Reads one safetensors file (docs/formats/safetensors.md). Tensors are views of the file's bytes,
// which must outlive them, and may begin at any address: read them with memcpy.

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "checkpoint/checkpoint.h"

namespace dunnock {

struct SafetensorsFile {
  TensorMap tensors;
  std::map<std::string, std::string> metadata;  // the header's "__metadata__"
};

// kInvalid, kUnsupported or kLimit for a file that breaks the format; `name` is its name in the
// message.
Result<SafetensorsFile> ReadSafetensors(std::string_view name, const Blob& file);

// The size in front of the header, which follows it.
inline constexpr size_t kSafetensorsSizeBytes = 8;

struct SafetensorsEntry {
  std::string name;
  DType dtype = DType::kF32;
  std::vector<uint64_t> shape;
  uint64_t begin = 0, end = 0;  // of its bytes, from the beginning of the data

  uint64_t size_bytes() const { return end - begin; }
};

// For a reader that has only the beginning of a file: the size of the header, from its first 8
// bytes; and the tensors, in the order of their bytes, from the header behind them and the size of
// the data that is to follow it. The same errors.
Result<uint64_t> SafetensorsHeaderBytes(ByteSpan first);
Result<std::vector<SafetensorsEntry>> ReadSafetensorsHeader(ByteSpan header, uint64_t data_bytes);

}  // namespace dunnock
