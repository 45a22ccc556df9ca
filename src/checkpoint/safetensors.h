#pragma once
// Reads one safetensors file (docs/formats/safetensors.md). Tensors are views of the file's bytes,
// which must outlive them, and may begin at any address: read them with memcpy.

#include <map>
#include <string>
#include <string_view>

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

}  // namespace dunnock
