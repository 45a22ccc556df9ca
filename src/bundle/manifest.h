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

  // kRans if any shard is coded.
  Codec codec() const;
};

// kInvalid or kUnsupported unless every weight is consistent: panel_bytes follows from its
// encoding, columns and groups, and the rotation is a power of two that divides its columns.
Result<Manifest> ParseManifest(std::string_view text);
std::string DumpManifest(const Manifest& manifest);

}  // namespace dunnock
