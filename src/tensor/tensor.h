#pragma once
// A tensor as a checkpoint holds it: dtype, shape and bytes (row-major, little-endian), not
// decoded. The bytes belong to the checkpoint that the tensor came from and need no alignment. The
// readers of checkpoints make sure that bytes.size() is exactly what shape and dtype say, and that
// the last dimension of a quantized dtype is a whole number of its blocks.

#include <cstdint>
#include <vector>

#include "base/bytes.h"
#include "tensor/dtype.h"

namespace dunnock {

struct Tensor {
  DType dtype = DType::kF32;
  std::vector<uint64_t> shape;  // outermost first: a Linear weight is (out_features, in_features)
  ByteSpan bytes;

  uint64_t cols() const { return shape.empty() ? 1 : shape.back(); }
  uint64_t rows() const {
    uint64_t out = 1;
    for (size_t i = 0; i + 1 < shape.size(); ++i) out *= shape[i];
    return out;
  }
};

}  // namespace dunnock
