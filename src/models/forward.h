#pragma once
// One pass of a batch through a model: the one loop over the layers.

#include <atomic>
#include <functional>

#include "kernels/observer.h"
#include "models/model.h"

namespace dunnock {

// Who looks on during a pass, and may end it.
struct Watch {
  // Called with the embedding output (0) and each layer's output (i + 1).
  std::function<void(size_t layer, ConstRows x)> hidden = {};
  // Sees the input of each product of the pass.
  ProductObserver* products = nullptr;
  // Looked at before each layer.
  const std::atomic<bool>* cancel = nullptr;
};

// hidden (n, hidden_size): the last hidden state of every token of the batch, after the final norm.
// Keys and values are stored in the sequences' caches, but not committed. False: cancelled, hidden
// then means nothing. Throws OutOfMemory.
bool Forward(const Model& model, Rows hidden, const Batch& batch, Scratch& scratch,
             const Watch& watch = {});

}  // namespace dunnock
