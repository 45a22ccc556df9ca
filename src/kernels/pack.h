#pragma once
// Makes a Weight from rows of values or of codes: the panel layout of docs/formats/panels.md.

#include <cstdint>
#include <functional>
#include <span>

#include "tensor/weight.h"

namespace dunnock {

// Fills out (cols) with a row's values. Rows are asked for in order, from several threads at once.
using RowReader = std::function<void(size_t row, std::span<float> out)>;

// kF32, kBF16 (round to nearest even), kInt8 and kInt4 (rotated by RotationBlock(cols), rounded to
// nearest; the scale of kInt8 is the largest magnitude / 127, that of kInt4 the one with the least
// squared error).
Weight PackRows(WeightEncoding encoding, size_t rows, size_t cols, const RowReader& read);

// A row in groups: codes (cols), scales and minimums (cols / group). Codes are below 16 for
// kInt4Grouped; for kInt8Grouped 128 stands for zero.
struct GroupedRow {
  std::span<uint8_t> codes;
  std::span<float> scales;
  std::span<float> minimums;
};
using GroupedRowReader = std::function<void(size_t row, const GroupedRow& out)>;

// kInt4Grouped or kInt8Grouped. Scales are kept as float16 where that loses nothing, else as
// float32; minimums are dropped if all are zero, unless they are to be kept. cols must be a
// multiple of group, group of 8.
Weight PackGrouped(WeightEncoding encoding, size_t rows, size_t cols, size_t group,
                   const GroupedRowReader& read, bool keep_minimums = false);

// Rounds rows of values to kInt4Grouped, each group's float16 scale and minimum searched for the
// least squared error. The size does not depend on the values.
Weight RoundToInt4Groups(size_t rows, size_t cols, size_t group, const RowReader& read);

// Row `row` of a weight as floats, rotation undone: for look-ups, tests and other formats.
void UnpackRow(const Weight& weight, size_t row, std::span<float> out);

void SetBias(Weight* weight, std::span<const float> bias);

}  // namespace dunnock
