#pragma once
// Fills a model's weights from a checkpoint, choosing the encoding of each matrix, or from a
// bundle, where that was done before.

#include "models/model.h"

namespace dunnock {

// Notes get the tensors that the model does not use.
Status LoadWeights(Model& model, const Checkpoint& checkpoint, const LoadOptions& options,
                   std::vector<std::string>* notes);

// All faults of a checkpoint as one error.
Status FaultsAsOne(std::span<const std::string> faults);

}  // namespace dunnock
