#pragma once
// What calibration gathers of a product's input x (n, cols), one row per token: the Hessian
// H = x^T x of the squared error of its outputs, and the cross term D = other^T x with other rows,
// such as what x differs by from the input that the same product would see if nothing were rounded.
//
// If codes are of rotated weights (docs/formats/panels.md), both are of rotated rows: x is rotated
// here, in blocks of `rotation` columns without normalization, as activations are (Rotate in
// kernels/activations.h). A sum over 1024 consecutive rows is a product like any other (MatMul):
// each column, rotated once more along the rows, is rounded to 127 steps of its largest value,
// which adds about 1e-4 to a diagonal entry where damping adds 1e-2 and takes a fifth of the time
// of float32. The sums of these are float64. So the bits depend on the rows and their order alone,
// not on threads, the instruction set, or how the rows are divided among calls.
//
// An object is for one thread at a time; its loops run on the current pool. cols is at most
// kMostHessianCols; a rotation of 1 leaves rows as they are. Constructors and Add throw
// OutOfMemory.

#include <vector>

#include "quant/matrix.h"
#include "tensor/rows.h"

namespace dunnock {

inline constexpr size_t kMostHessianCols = 16384;

// Rows that are rotated and wait until there are enough of them for a product.
class RowQueue {
 public:
  static constexpr size_t kRows = 1024;
  RowQueue(size_t cols, size_t rotation);

  size_t cols() const { return cols_; }
  size_t count() const { return count_; }
  size_t room() const { return kRows - count_; }
  // At most room() rows.
  void Add(ConstRows x);
  // The columns of the rows so far (cols, count()); valid until the next call. Empties the queue.
  ConstRows TakeColumns();

 private:
  size_t cols_, rotation_, count_ = 0;
  std::vector<float> rows_, columns_;
};

class Hessian {
 public:
  Hessian(size_t cols, size_t rotation);

  void Add(ConstRows x);
  size_t tokens() const { return tokens_; }
  // H (cols, cols) of all rows so far. Rows that follow begin a new sum of 1024.
  const SquareMatrix& Sum();

 private:
  void Flush();

  size_t tokens_ = 0;
  RowQueue x_;
  SquareMatrix sum_;
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
  size_t tokens_ = 0;
  RowQueue other_, x_;
  SquareMatrix sum_;
};

}  // namespace dunnock
