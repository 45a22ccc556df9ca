#include "quant/matrix.h"

#include <algorithm>

namespace dunnock {

// A stride that is a power of two would put a whole column into a few lines of each cache.
SquareMatrix::SquareMatrix(size_t size) : size_(size), stride_((size + 15) / 16 * 16 + 24) {
  const size_t count = size_ * stride_;
  data_ = static_cast<double*>(memory_.Reserve(uint64_t{count} * sizeof(double)));
  std::fill_n(data_, count, 0.0);
}

}  // namespace dunnock
