#include "models/forward.h"

#include <optional>

namespace dunnock {

bool Forward(const Model& model, Rows hidden, const Batch& batch, Scratch& scratch,
             const Watch& watch) {
  std::optional<ObserveProducts> observe;
  if (watch.products != nullptr) observe.emplace(watch.products);
  const Pass pass{hidden, batch, scratch};
  model.Embed(pass);
  if (watch.hidden) watch.hidden(0, hidden);
  for (size_t layer = 0; layer < model.info().layers; ++layer) {
    if (watch.cancel != nullptr && watch.cancel->load(std::memory_order_relaxed)) return false;
    model.RunLayer(layer, pass);
    if (watch.hidden) watch.hidden(layer + 1, hidden);
  }
  model.Finish(pass);
  return true;
}

}  // namespace dunnock
