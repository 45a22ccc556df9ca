#pragma once
// Fills a model's weights from a checkpoint, choosing the encoding of each matrix.

#include "models/model.h"

namespace dunnock {

Status LoadWeights(Model& model, const Checkpoint& checkpoint, const LoadOptions& options);

}  // namespace dunnock
