#pragma once
// Weight: a matrix (rows, cols) in the form that MatMul reads. Rows lie in panels of 16; inside a
// panel the columns, called k, run in chunks of 4 codes, so that each 32-bit lane of a vector
// register accumulates one row and no kernel sums across lanes (docs/formats/panels.md).
// kernels/packing/pack.h makes weights. Copies share the bytes, which nobody changes once made.

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

#include "base/bytes.h"

namespace dunnock {

enum class WeightEncoding : uint8_t {
  kF32,          // 16 floats per k
  kBF16,         // 16 bfloat16 values per k
  kInt8,         // rotated, unsigned codes around 128, one scale per row
  kInt6,         // rotated, unsigned codes around 32, one scale per row
  kInt4,         // rotated, unsigned codes around 8, one scale per row
  kInt8Grouped,  // 8-bit codes; a scale, and perhaps a minimum, per row and group of codes
  kInt6Grouped,  // the same with 6 bits
  kInt4Grouped,  // the same with 4 bits; they hold GGUF's quantization blocks without loss
};

// "f32", "bf16", "int8", "int6", "int4", "int8-grouped", "int6-grouped", "int4-grouped"; and the
// encoding of such a name, nullopt for any other.
std::string_view NameOf(WeightEncoding encoding);
std::optional<WeightEncoding> EncodingNamed(std::string_view name);

inline constexpr size_t kPanelRows = 16;
// Columns per step of codes in the integer encodings; cols is padded to whole steps.
inline constexpr size_t kStepCodes = 16;
inline constexpr size_t PaddedCols(size_t cols) {
  return (cols + kStepCodes - 1) / kStepCodes * kStepCodes;
}

// The most columns of an integer encoding: 127 * 255 * cols must stay below 2^31, the int32 sum of
// all products of codes.
inline constexpr size_t kMostIntegerCols = 1 << 16;

struct Weight {
  WeightEncoding encoding = WeightEncoding::kF32;
  size_t rows = 0;            // out_features
  size_t cols = 0;            // in_features
  size_t group = 0;           // grouped: codes per scale, 16 to 128
  size_t block = 0;           // grouped: codes per float16 scale; above `group`: see has_factors()
  size_t rotation = 0;        // size of the rotation blocks along the columns; 1: not rotated
  bool has_minimums = false;  // grouped: minimums follow the scales
  size_t panel_bytes = 0;     // from one panel of 16 rows to the next
  Blob panels;                // ceil(rows / 16) panels, 64-byte aligned
  Blob scales;                // kInt8, kInt6, kInt4: a float32 per row, padded to whole panels
  Blob bias;                  // a float32 per row, padded to whole panels; empty: none

  size_t panel_count() const { return (rows + kPanelRows - 1) / kPanelRows; }
  size_t size_bytes() const { return panels.size() + scales.size() + bias.size(); }
  bool has_row_scales() const {
    return encoding >= WeightEncoding::kInt8 && encoding <= WeightEncoding::kInt4;
  }
  bool is_grouped() const { return encoding >= WeightEncoding::kInt8Grouped; }
  // Whether each group has an int8 factor that its quantization block's scale is multiplied by.
  bool has_factors() const { return block > group; }
};

// Bits per code of an integer encoding: 8, 6 or 4.
size_t CodeBits(WeightEncoding encoding);
// The code that stands for zero if there are no minimums: 128, 32 or 8.
inline int CentreOf(WeightEncoding encoding) { return 1 << (CodeBits(encoding) - 1); }

// What panel_bytes must be, from encoding, cols, group, block and has_minimums.
size_t PanelBytesOf(const Weight& weight);

// The layout of a grouped panel, in bytes. It is a sequence of quantization blocks. Each begins
// with a head (16 float16 scales, then 16 minimums), followed by its groups. Each group is 16 int8
// factors of the scales, 16 of the minimums, then its codes. Minimums and factors may be absent.
struct GroupedLayout {
  explicit GroupedLayout(const Weight& weight);
  size_t head_bytes, factor_bytes, group_bytes, block_bytes;
};

}  // namespace dunnock
