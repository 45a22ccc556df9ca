#pragma once
// Rounding that knows the inputs: GPTQ (Frantar et al. 2022) in the form of LDLQ (Chee et al.
// 2023), drift compensation, scales refitted in the metric of the Hessian, and the loss that all of
// these lower.
//
// Shapes: weights (rows, cols) are those that the codes stand for, rotated if the Hessian's rows
// were. Hessian (cols, cols), both halves, not damped. Rows are independent of each other: all
// functions divide them among the threads of the current pool, and compute in float64 in one fixed
// order, so that the bits depend neither on the number of threads nor on the instruction set. All
// throw OutOfMemory.

#include <vector>

#include "quant/codes.h"
#include "quant/factor.h"
#include "quant/hessian.h"

namespace dunnock {

// Rounds column after column in the factor's order; each column's target is its weight less what
// the errors of the columns before it cost, so far as this column can make up for it. The scale of
// a row is chosen from its weights, that of a group from its columns as they are when the first of
// them is rounded. The factor's group must be the grid's.
Codes RoundCalibrated(ConstRows weights, const HessianFactor& factor, const Grid& grid);

// Weights (rows, cols) that give on the inputs x of the rounded model what `weights` give on the
// original inputs, in the least-squares sense, the step to them multiplied by `share` (0..1):
//   W + share * W D (H + damping)^-1
// `drift` is D = (original - x)^T x (CrossTerm), of the same tokens as the factor's H. Full
// compensation fits the calibration text and loses on other text; half of it gained on both
// (SmolLM2-135M, int4).
std::vector<float> CompensateDrift(ConstRows weights, const SquareMatrix& drift,
                                   const HessianFactor& factor, double share);

// Replaces each scale by the best one for the codes as they are: row by row, a group after another
// and these twice, where that lowers the row's loss. `weights` as in RoundCalibrated.
void RefitScales(Codes& codes, ConstRows weights, const SquareMatrix& hessian);

// trace((W - Q) H (W - Q)^T) / trace(W H W^T): the squared error of the outputs relative to their
// square. 0 where both are 0.
double LossOf(ConstRows weights, const Codes& codes, const SquareMatrix& hessian);

}  // namespace dunnock
