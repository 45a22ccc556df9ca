#pragma once
// Reads one safetensors file (docs/formats/safetensors.md). The tensors' bytes point into the
// file's Blob, at any alignment: whoever reads them uses memcpy.

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

// `name` is for error messages.
Result<SafetensorsFile> ReadSafetensors(std::string_view name, const Blob& file);

}  // namespace dunnock
