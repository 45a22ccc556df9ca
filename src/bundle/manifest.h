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
  // "passed", "missed" (the bundle was made all the same) or "not evaluated"; empty: made before
  // there was a gate.
  std::string verdict = {};
  std::string misses = {};  // with "missed": the figures that are too low, in a sentence
};

// kInvalid or kUnsupported unless every weight is consistent: panel_bytes follows from its
// encoding, columns and groups, and the rotation is a power of two that divides its columns.
Result<Manifest> ParseManifest(std::string_view text);
// The text has a place for its own hash, 64 zeros, which WithOwnHash fills.
std::string DumpManifest(const Manifest& manifest);

// manifest.json holds its own SHA-256, taken while these 64 digits are zeros, as "manifest_sha256".
// The digits in the text; empty if there are none.
std::string_view OwnHashIn(std::string_view manifest);
// The text with other digits in that place; as it is if there is none.
std::string WithOwnHash(std::string manifest, std::string_view sha256);
inline constexpr std::string_view kNoHash =
    "0000000000000000000000000000000000000000000000000000000000000000";

}  // namespace dunnock
