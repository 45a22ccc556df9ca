#pragma once
// manifest.json of a bundle (docs/formats/bundle.md): how each matrix is encoded, and the files
// with their hashes. The file is not trusted: what it says about a weight is checked.

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "tensor/weight.h"

namespace dunnock {

struct BundleFile {
  std::string name;
  uint64_t size_bytes = 0;
  std::string sha256;  // lower-case hexadecimal
};

struct Manifest {
  std::string source;                     // the name the model was quantized from
  std::string quantization;               // "int8", "int4", "int4-grouped"
  std::map<std::string, Weight> weights;  // by name without ".weight"; panels and scales are empty
  std::vector<BundleFile> files;          // all but manifest.json itself
};

// kInvalid or kUnsupported unless every weight is consistent: panel_bytes follows from its
// encoding, columns and groups, and the rotation is a power of two that divides its columns.
Result<Manifest> ParseManifest(std::string_view text);
std::string DumpManifest(const Manifest& manifest);

}  // namespace dunnock
