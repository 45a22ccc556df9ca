#pragma once
// What calibration gathers of a product's input x (n, cols), one row per token: the Hessian
// H = x^T x of the squared error of its outputs, and the cross term D = other^T x with other rows,
// such as what x differs by from the input that the same product would see if nothing were rounded.
//
// If codes are of rotated weights (docs/formats/panels.md), both are of rotated rows: x is rotated
// here, in blocks of `rotation` columns without normalization, as activations are (Rotate in
// kernels/activations.h). Sums of 128 consecutive rows are float32, each in the order of the rows;
// the sums of these are float64. So the bits depend on the rows and their order alone, not on
// threads, the instruction set, or how the rows are divided among calls.
//
// An object is for one thread at a time; its loops run on the current pool. cols is at most
// kMostHessianCols; a rotation of 1 leaves rows as they are. Constructors and Add throw
// OutOfMemory.

#include <vector>

#include "quant/matrix.h"
#include "tensor/rows.h"

namespace dunnock {

inline constexpr size_t kMostHessianCols = 16384;

class Hessian {
 public:
  Hessian(size_t cols, size_t rotation);

  void Add(ConstRows x);
  size_t tokens() const { return tokens_; }
  // H (cols, cols), both halves, of all rows so far. Rows that follow begin a new sum of 128.
  const SquareMatrix& Sum();

 private:
  void Flush();

  size_t rotation_, tokens_ = 0, pending_ = 0;
  std::vector<float> rows_;  // rotated rows that are not in the sum yet, as tiles of 16 columns
  SquareMatrix sum_;         // the lower half, until Sum() copies it to the upper one
};

class CrossTerm {
 public:
  CrossTerm(size_t cols, size_t rotation);

  // Row t of both is of the same token of the same text.
  void Add(ConstRows other, ConstRows x);
  size_t tokens() const { return tokens_; }
  // D (cols, cols): row i is of column i of the other rows.
  const SquareMatrix& Sum();

 private:
  void Flush();

  size_t rotation_, tokens_ = 0, pending_ = 0;
  std::vector<float> other_, rows_;
  SquareMatrix sum_;
};

}  // namespace dunnock
