#pragma once
// Rounding to nearest, matrix by matrix: what a bundle is made of without calibration.

#include <vector>

#include "base/result.h"
#include "pipeline/plan/plan.h"
#include "quant/codes.h"

namespace dunnock {

// The grid of a planned matrix whose form has integer codes and no minimums.
Grid GridFor(const PlannedTensor& t);

// (rows, cols): the rows that such codes stand for: rotated, and divided by the size of the
// rotation's blocks, since both operands of a product are rotated without normalization. kInvalid
// for a value that is not finite. Throws OutOfMemory.
Result<std::vector<float>> RotatedRows(const PlannedTensor& t);

// Codes of these rows in the matrix's form, without a bias. Throws OutOfMemory.
Weight PackedForm(const PlannedTensor& t, const Codes& codes);

// The matrix of a planned tensor in its form, without a bias, on the current pool. An empty Weight
// for a table or a vector. kInvalid for a value that is not finite. Throws OutOfMemory.
Result<Weight> RoundedToNearest(const PlannedTensor& t);

// The matrix in rotated int8, whatever its form, with its bias. Errors as above.
Result<Weight> RoundedToInt8(const PlannedTensor& t);

// Gives a matrix the planned tensor's bias, if that has one.
Status AddBias(const PlannedTensor& t, Weight* weight);

}  // namespace dunnock
