#pragma once
// Square matrices of float64, as calibration keeps them: up to a few thousand columns, 8 bytes per
// entry.

#include <cstddef>

#include "base/system/memory.h"

namespace dunnock {

// Row-major (size, size). Each row is followed by at least 16 zeros, so that a tile of 16 columns
// may begin at any column. Movable only. Threads may write different entries at once.
class SquareMatrix {
 public:
  SquareMatrix() = default;
  // All zeros. Throws OutOfMemory.
  explicit SquareMatrix(size_t size);

  size_t size() const { return size_; }
  size_t stride() const { return stride_; }  // from one row to the next
  double* operator[](size_t row) { return data_ + row * stride_; }
  const double* operator[](size_t row) const { return data_ + row * stride_; }

 private:
  size_t size_ = 0, stride_ = 0;
  AlignedBuffer memory_;
  double* data_ = nullptr;
};

}  // namespace dunnock
