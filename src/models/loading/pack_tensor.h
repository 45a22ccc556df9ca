#pragma once
// How the matrices of a checkpoint are rounded and laid out when a model is loaded: the one place
// that decides it. What a load leaves for the next one is made by the same functions.

#include <optional>

#include "checkpoint/checkpoint.h"
#include "tensor/weight.h"

namespace dunnock {

// The encoding and layout, without any bytes, of `rows` rows of a matrix whose tensor has this
// dtype: GGUF's codes are kept as they are; everything else is rounded to rotated int8, which costs
// least (docs/architecture.md).
Weight FormOf(DType dtype, size_t rows, size_t cols);

// Rows [first, first + rows) of a tensor in FormOf, or in float32. *not_finite gets the number of a
// row with a value that is not finite, if there is one. Throws OutOfMemory.
Weight PackTensor(const Tensor& tensor, size_t first, size_t rows,
                  std::optional<size_t>* not_finite);
Weight PackTensorToF32(const Tensor& tensor, size_t first, size_t rows,
                       std::optional<size_t>* not_finite);

}  // namespace dunnock
