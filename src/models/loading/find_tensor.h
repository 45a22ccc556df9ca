#pragma once
// Tensors of a checkpoint by the names that models use.

#include <span>
#include <string>

#include "checkpoint/checkpoint.h"

namespace dunnock {

// The tensor of that name, with or without the prefix that tells a base model from a task model
// ("bert.", "model."), of this shape and of a type that decodes to floats.
Result<const Tensor*> FindTensor(const Checkpoint& checkpoint, const std::string& name,
                                 std::span<const uint64_t> shape);

}  // namespace dunnock
