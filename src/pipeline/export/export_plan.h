#pragma once
// The plan of a GGUF file: its tensors by GGUF's names, in the order in which a pass through the
// model uses them, with the place that each row comes from. It is made before anything is written,
// so that all faults of a checkpoint are found first and reported in one error.

#include <string>
#include <vector>

#include "base/result.h"
#include "bundle/bundle.h"
#include "checkpoint/gguf/architecture.h"
#include "checkpoint/gguf/write.h"
#include "models/model.h"

namespace dunnock {

// Rows of a matrix, from a tensor as stored or from a bundle's weight.
struct ExportPart {
  const Tensor* tensor = nullptr;  // nullptr: `weight`
  const Weight* weight = nullptr;
  uint64_t first_row = 0;  // where the part begins in the tensor
  uint64_t rows = 0;
};

struct ExportTensor {
  std::string name;               // GGUF's, with ".weight" or ".bias"
  DType dtype = DType::kF32;      // in the file
  std::vector<uint64_t> shape;    // outermost first
  std::vector<float> values;      // all of a vector
  std::vector<ExportPart> parts;  // of a matrix, one above the other
  uint64_t head_dim = 0;          // rows are ordered as neighbours within heads; 0: as they are
  bool head = false;              // makes logits or labels

  uint64_t cols() const { return shape.back(); }
  uint64_t rows() const { return shape.size() == 1 ? 1 : shape[0]; }
  uint64_t parameters() const { return rows() * cols(); }
};

struct ExportPlan {
  const GgufArchitecture* architecture;
  GgufShape shape;
  std::vector<ExportTensor> tensors;
};

// The plan points into the bundle (or checkpoint: a bundle without weights), which must outlive it.
// `type` is that of matrices, as in ExportOptions. Errors: those of MakeModel; kInvalid for all
// missing or misshapen tensors; kUnsupported for what llama.cpp would not load.
Result<ExportPlan> PlanExport(const Bundle& bundle, DType type, std::vector<std::string>* notes);

}  // namespace dunnock
