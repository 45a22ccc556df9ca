#pragma once
// Weight: a matrix in the form that MatMul reads. Rows lie in panels of 16, and inside a panel K
// runs in chunks of 4 codes, so that each 32-bit lane of a vector register accumulates one row and
// no kernel ever sums across lanes (docs/formats/panels.md). kernels/pack.h makes them.

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
  kInt4,         // rotated, unsigned codes around 8, one scale a row
  kInt8Grouped,  // value = scale * (code - 128) + minimum, scale and minimum a row and group
  kInt4Grouped,  // value = scale * code + minimum; holds GGUF's Q4_0, Q4_1, Q4_K without loss
};

std::string_view NameOf(
    WeightEncoding encoding);  // "f32", "bf16", "int8", "int4", "int8-grouped", ...
std::optional<WeightEncoding> EncodingNamed(std::string_view name);

inline constexpr size_t kPanelRows = 16;

struct Weight {
  WeightEncoding encoding = WeightEncoding::kF32;
  size_t rows = 0;            // out_features
  size_t cols = 0;            // in_features, K
  size_t group = 0;           // codes a scale, grouped forms only: 16, 32, 64 or 128
  size_t rotation = 0;        // block of the Hadamard rotation along K; 1: none
  bool wide_scales = false;   // grouped: scales are float32 (float16 would lose bits), else float16
  bool has_minimums = false;  // grouped: minimums follow the scales
  size_t panel_bytes = 0;     // from one panel of 16 rows to the next
  Blob panels;                // ceil(rows / 16) panels, 64-byte aligned
  Blob scales;                // kInt8, kInt4: float32 a row, padded to whole panels
  Blob bias;                  // float32 a row, padded to whole panels; empty: none

  size_t panel_count() const { return (rows + kPanelRows - 1) / kPanelRows; }
  size_t size_bytes() const { return panels.size() + scales.size() + bias.size(); }
  bool has_row_scales() const {
    return encoding == WeightEncoding::kInt8 || encoding == WeightEncoding::kInt4;
  }
  bool is_grouped() const {
    return encoding == WeightEncoding::kInt8Grouped || encoding == WeightEncoding::kInt4Grouped;
  }
};

// What panel_bytes must be, from encoding, cols, group, wide_scales and has_minimums.
size_t PanelBytesOf(const Weight& weight);

}  // namespace dunnock
