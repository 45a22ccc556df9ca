#pragma once
// manifest.json of a bundle (docs/formats/bundle.md): how each matrix is encoded, and the files
// with their hashes. The file is not trusted: what it says about a weight is checked.

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "tensor/dtype.h"
#include "tensor/weight.h"

namespace dunnock {

// How a shard stores the codes of its matrices.
enum class Codec {
  kRaw,   // in panels, as they are multiplied
  kRans,  // entropy-coded (docs/formats/codes.md): smaller, and decoded when it is opened
};
std::string_view NameOf(Codec codec);  // "raw", "rans"
std::optional<Codec> CodecNamed(std::string_view name);

struct BundleFile {
  std::string name;
  uint64_t size_bytes = 0;
  std::string sha256;  // lower-case hexadecimal
  Codec codec = Codec::kRaw;
};

// A table that is looked up row by row, in the bytes of its source: NAME.table, U8 (rows, bytes per
// row). The rows of quantization blocks have no dtype of safetensors, and a table beside a tied
// head would have the name of its panels.
struct StoredTable {
  DType dtype = DType::kF32;  // a float type or one of GGUF's quantized types
  uint64_t rows = 0, cols = 0;

  uint64_t row_bytes() const { return cols / InfoOf(dtype).block_size * InfoOf(dtype).block_bytes; }
};

struct Manifest {
  std::string source;                     // the name the model was quantized from
  std::string quantization;               // "int8", "int4", "int4-grouped", "as-loaded"
  std::map<std::string, Weight> weights;  // by name without ".weight"; panels and scales are empty
  std::map<std::string, StoredTable> tables = {};  // by name without ".table"; usually none
  std::vector<BundleFile> files;                   // all but manifest.json itself
  // What the user was told of the source when it was read, and when its weights were loaded. A
  // prepared model says it again.
  std::vector<std::string> reading_notes = {}, loading_notes = {};
  // "passed", "missed" (the bundle was made all the same) or "not evaluated"; empty: made before
  // there was a gate.
  std::string verdict = {};
  std::string misses = {};  // with "missed": the figures that are too low, in a sentence

  // kRans if any shard is coded.
  Codec codec() const;
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
