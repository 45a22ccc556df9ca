#pragma once
// Weight: a matrix in the form that MatMul reads. Rows lie in panels of 16, and inside a panel K
// runs in chunks of 4 codes, so that each 32-bit lane of a vector register accumulates one row and
// no kernel ever sums across lanes (docs/formats/panels.md). kernels/packing/pack.h makes them.

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

#include "base/bytes.h"

namespace dunnock {

enum class WeightEncoding : uint8_t {
  kF32,          // 16 floats a k
  kBF16,         // 16 bfloat16 a k
  kInt8,         // rotated, unsigned codes around 128, one scale a row
  kInt6,         // rotated, unsigned codes around 32, one scale a row
  kInt4,         // rotated, unsigned codes around 8, one scale a row
  kInt8Grouped,  // one scale a row and group of codes, perhaps a minimum; codes of 8 bits,
  kInt6Grouped,  // of 6 bits,
  kInt4Grouped,  // of 4 bits: GGUF's blocks without loss
};

std::string_view NameOf(
    WeightEncoding encoding);  // "f32", "bf16", "int8", "int4", "int8-grouped", ...
std::optional<WeightEncoding> EncodingNamed(std::string_view name);

inline constexpr size_t kPanelRows = 16;
// The codes of integer encodings lie in steps of as many k; K is padded to whole steps.
inline constexpr size_t kStepCodes = 16;
inline constexpr size_t PaddedCols(size_t cols) {
  return (cols + kStepCodes - 1) / kStepCodes * kStepCodes;
}

// Products of codes are summed in int32: 127 * 255 * columns has to stay below 2^31.
inline constexpr size_t kMostIntegerCols = 1 << 16;

struct Weight {
  WeightEncoding encoding = WeightEncoding::kF32;
  size_t rows = 0;            // out_features
  size_t cols = 0;            // in_features, K
  size_t group = 0;           // grouped: codes a scale, 16 to 128
  size_t block = 0;           // grouped: codes a float16; above `group` each group has a factor too
  size_t rotation = 0;        // block of the Hadamard rotation along K; 1: none
  bool has_minimums = false;  // grouped: minimums follow the scales
  size_t panel_bytes = 0;     // from one panel of 16 rows to the next
  Blob panels;                // ceil(rows / 16) panels, 64-byte aligned
  Blob scales;                // kInt8, kInt6, kInt4: float32 a row, padded to whole panels
  Blob bias;                  // float32 a row, padded to whole panels; empty: none

  size_t panel_count() const { return (rows + kPanelRows - 1) / kPanelRows; }
  size_t size_bytes() const { return panels.size() + scales.size() + bias.size(); }
  bool has_row_scales() const {
    return encoding >= WeightEncoding::kInt8 && encoding <= WeightEncoding::kInt4;
  }
  bool is_grouped() const { return encoding >= WeightEncoding::kInt8Grouped; }
  bool has_factors() const { return block > group; }
};

// Bits a code of an integer encoding: 8, 6 or 4.
size_t CodeBits(WeightEncoding encoding);
// The code that stands for zero where there are no minimums: 128, 32 or 8.
inline int CentreOf(WeightEncoding encoding) { return 1 << (CodeBits(encoding) - 1); }

// What panel_bytes must be, from encoding, cols, group, block and has_minimums.
size_t PanelBytesOf(const Weight& weight);

// Where things lie in a panel of a grouped form: blocks of a head (16 scales, 16 minimums) and its
// groups, each of 16 factors of the scales, 16 of the minimums, and its codes.
struct GroupedLayout {
  explicit GroupedLayout(const Weight& weight);
  size_t head_bytes, factor_bytes, group_bytes, block_bytes;
};

}  // namespace dunnock
