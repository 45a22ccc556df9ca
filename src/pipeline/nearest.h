#pragma once
// Rounding to nearest, matrix by matrix: what a bundle is made of without calibration.

#include "base/result.h"
#include "pipeline/plan.h"

namespace dunnock {

// The matrix of a planned tensor in its form, without a bias, on the current pool. An empty Weight
// for a table or a vector. kInvalid for a value that is not finite. Throws OutOfMemory.
Result<Weight> RoundedToNearest(const PlannedTensor& t);

// The matrix in rotated int8, whatever its form, with its bias. Errors as above.
Result<Weight> RoundedToInt8(const PlannedTensor& t);

// Gives a matrix the planned tensor's bias, if that has one.
Status AddBias(const PlannedTensor& t, Weight* weight);

}  // namespace dunnock
