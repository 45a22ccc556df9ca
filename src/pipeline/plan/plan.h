#pragma once
// The plan of a bundle: its tensors, the vectors first, then tables and matrices in the order in
// which a pass through the model uses them. It is made before anything is written, so that all
// faults of a checkpoint are found first and reported in one error.

#include <string>
#include <vector>

#include "base/result.h"
#include "models/model.h"
#include "pipeline/plan/format.h"
#include "quant/codes.h"

namespace dunnock {

struct PlannedTensor {
  // kStoredTable: a table in the bytes of its source (StoredTable in bundle/manifest.h).
  enum Kind { kMatrix, kTable, kStoredTable, kVector };
  Kind kind;
  std::string name;              // in the bundle; matrices and tables without ".weight"
  const Tensor* source;          // the tensor it is made from
  size_t first_row = 0;          // where this part begins in the source
  size_t rows = 1, cols = 0;     // of this part
  const Tensor* bias = nullptr;  // nullptr: none
  Weight form = {};              // matrices: encoding and layout, without any bytes
  Step step = {};                // of forms with integer codes and without minimums
  bool outside_layers = false;   // the head or a table
  DType dtype = DType::kF32;     // kTable: how it is stored

  uint64_t parameters() const { return uint64_t{rows} * cols + (bias != nullptr ? rows : 0); }
};

// The plan points into the checkpoint, which must outlive it. A table that is also the head is
// planned once, as the head's matrix. `calibrated`: for matrices that are rounded on texts. Errors:
// those of MakeModel, and one kInvalid for all missing or misshapen tensors.
Result<std::vector<PlannedTensor>> PlanBundle(const Checkpoint& checkpoint, QuantizeFormat format,
                                              bool calibrated, std::vector<std::string>* notes);

// Gives the matrix an encoding with a scale per row.
void SetRowForm(PlannedTensor* t, WeightEncoding encoding, const Step& step);

// The plan of a prepared model: every matrix in the form that loading the checkpoint would give it,
// and every table as it is, also beside a head that is tied to it. *notes gets what loading would
// say beyond what it says of config.json. Errors: as above.
Result<std::vector<PlannedTensor>> PlanPrepared(const Checkpoint& checkpoint,
                                                std::vector<std::string>* notes);

}  // namespace dunnock
