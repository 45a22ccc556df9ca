#pragma once
// The Cholesky factor of a damped Hessian, its columns in the order of rounding.
//
// The error of a row of weights, e (cols), costs e H e^T. With H = L L^T that is the squared length
// of e L, and entry k of e L is e_k L_kk plus what the columns after k contribute. If these are
// rounded first, e_k can make up for them: the feedback of LDLQ (Chee et al. 2023, theorem 6),
// which is GPTQ's without an inverse. So the columns stand in the reverse order of rounding: the
// last one is rounded first.

#include <vector>

#include "base/result.h"
#include "quant/matrix.h"

namespace dunnock {

struct FactorOptions {
  // Added to every diagonal entry, as a share of their mean. Frantar et al. use .01.
  double damping = 0.01;
  // Columns in descending order of the diagonal (act-order). Without it from first to last.
  bool by_diagonal = true;
  // Columns that share a scale stay together; their order is that of the sums of their diagonals.
  // Divides the number of columns. 0: each column by itself.
  size_t group = 0;
};

struct HessianFactor {
  std::vector<size_t> order;  // order[k]: the column of weights that is column k of `lower`
  SquareMatrix lower;         // L; above the diagonal 0
  double damping = 0;         // what was added to the diagonal
};

// Runs on the current pool, with the same bits for any number of threads. Throws OutOfMemory.
// kInvalid if H has a value that is not finite, is zero, or is not positive definite after damping.
Result<HessianFactor> FactorOf(const SquareMatrix& hessian, const FactorOptions& options);

}  // namespace dunnock
