#pragma once
// Fills a model's weights from a checkpoint, choosing the encoding of each matrix, or from a
// bundle, where that was done before.

#include <set>

#include "models/model.h"

namespace dunnock {

// Notes get the tensors that the model does not use.
Status LoadWeights(Model& model, const Checkpoint& checkpoint, const LoadOptions& options,
                   std::vector<std::string>* notes);

// The same for what precedes and follows the layers, and for one layer: for who does not hold all
// of them at once.
Status LoadEnds(Model& model, const Checkpoint& checkpoint, const LoadOptions& options);
Status LoadLayer(Model& model, size_t layer, const Checkpoint& checkpoint,
                 const LoadOptions& options);
// Lets the weights of a layer go.
void DropLayer(Model& model, size_t layer);

// Notes tensors that no name of the model asked for: the file is of another model, or of more than
// one.
void NoteUnused(std::vector<std::string>* notes, const Checkpoint& checkpoint,
                const std::set<const Tensor*>& used);

// All faults of a checkpoint as one error.
Status FaultsAsOne(std::span<const std::string> faults);

}  // namespace dunnock
