#pragma once
// What a bundle of a model will hold, in the order in which the model uses it: made before anything
// is written, so that all faults of a checkpoint come first and in one error.

#include <string>
#include <vector>

#include "base/result.h"
#include "models/model.h"
#include "pipeline/quantize.h"

namespace dunnock {

struct PlannedTensor {
  enum Kind { kMatrix, kTable, kVector };
  Kind kind;
  std::string name;           // in the bundle; matrices and tables without ".weight"
  const Tensor* source;       // the tensor it is made from
  size_t first_row = 0;       // of the source
  size_t rows = 1, cols = 0;  // of this part
  const Tensor* bias = nullptr;
  Weight form = {};           // of a matrix: all but the blobs
  DType dtype = DType::kF32;  // of a table

  uint64_t parameters() const { return uint64_t{rows} * cols + (bias != nullptr ? rows : 0); }
};

// The tensors point into the checkpoint. A table that is also the head is only planned as that.
Result<std::vector<PlannedTensor>> PlanBundle(const Checkpoint& checkpoint, QuantizeFormat format,
                                              std::vector<std::string>* notes);

}  // namespace dunnock
