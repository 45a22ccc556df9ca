#include "runtime/recommended.h"

namespace dunnock {

void UseCatalogue(const CatalogueEntry& entry, EngineOptions* options) {
  options->fallback_template = entry.template_fallback;
  options->fallback_stop_texts = entry.stop_texts;
  options->recommended_sampling = entry.sampling;
}

}  // namespace dunnock
