#pragma once
// Makes a Weight from rows of values or of codes, in the panel layout of docs/formats/panels.md.
// Loops run on the current pool. Results depend only on the values. All functions that make a
// weight throw OutOfMemory.

#include <cstdint>
#include <functional>
#include <span>

#include "tensor/affine.h"
#include "tensor/weight.h"

namespace dunnock {

// Fills out (cols) with the values of a row. Called once per row, from several threads at once.
using RowReader = std::function<void(size_t row, std::span<float> out)>;

// Packs to kF32, kBF16 (round to nearest even), kInt8, kInt6 or kInt4 (rotated in blocks of
// RotationBlock(cols), divided by that size, rounded to nearest). The scale of kInt8 is the largest
// magnitude / 127, that of kInt6 and kInt4 is BestScale (rounding.h).
Weight PackRows(WeightEncoding encoding, size_t rows, size_t cols, const RowReader& read);

// Packs codes that were rounded elsewhere, of rotated and normalized rows (see PackRows): value =
// scales[row] * (code - CentreOf(encoding)). kInt8, kInt6 or kInt4. codes (rows, cols), each below
// 2^CodeBits(encoding).
Weight PackCodes(WeightEncoding encoding, size_t rows, size_t cols, std::span<const uint8_t> codes,
                 std::span<const float> scales);

// Fills `out` with a row's codes, scales and minimums, and with factors if the form has them.
// Called once per row, from several threads at once.
using AffineReader = std::function<void(size_t row, const AffineRow& out)>;

// Packs codes as they are, to kInt4Grouped, kInt6Grouped or kInt8Grouped by form.code_bits.
// form.group is a multiple of 16, form.block one of form.group, and cols one of form.block.
Weight PackGrouped(const AffineForm& form, size_t rows, size_t cols, const AffineReader& read);

// Rounds rows of values to kInt4Grouped with minimums; RoundGroup (rounding.h) finds each group's
// float16 scale and minimum. `group` divides cols.
Weight RoundToInt4Groups(size_t rows, size_t cols, size_t group, const RowReader& read);

// Decodes row `row` of a weight to out (cols), with the rotation undone: for look-ups, tests and
// other formats.
void UnpackRow(const Weight& weight, size_t row, std::span<float> out);

// Gives the weight a bias (rows).
void SetBias(Weight* weight, std::span<const float> bias);

}  // namespace dunnock
