#pragma once
// Makes a Weight from rows of values or of codes: the panel layout of docs/formats/panels.md.

#include <cstdint>
#include <functional>
#include <span>

#include "tensor/affine.h"
#include "tensor/weight.h"

namespace dunnock {

// Fills out (cols) with a row's values. Rows are asked for in order, from several threads at once.
using RowReader = std::function<void(size_t row, std::span<float> out)>;

// kF32, kBF16 (round to nearest even), kInt8, kInt6 and kInt4 (rotated by RotationBlock(cols),
// rounded to nearest; the scale of kInt8 is the largest magnitude / 127, that of the others the one
// with the least squared error).
Weight PackRows(WeightEncoding encoding, size_t rows, size_t cols, const RowReader& read);

// Fills out with a row's codes, scales and factors (the factors are looked at only if the form has
// them). Rows are asked for from several threads at once.
using AffineReader = std::function<void(size_t row, const AffineRow& out)>;

// kInt4Grouped, kInt6Grouped or kInt8Grouped, by the form's bits. A group is a multiple of 16, a
// block of groups, cols of blocks.
Weight PackGrouped(const AffineForm& form, size_t rows, size_t cols, const AffineReader& read);

// Rounds rows of values to kInt4Grouped, each group's float16 scale and minimum searched for the
// least squared error. The size does not depend on the values.
Weight RoundToInt4Groups(size_t rows, size_t cols, size_t group, const RowReader& read);

// Row `row` of a weight as floats, rotation undone: for look-ups, tests and other formats.
void UnpackRow(const Weight& weight, size_t row, std::span<float> out);

void SetBias(Weight* weight, std::span<const float> bias);

}  // namespace dunnock
