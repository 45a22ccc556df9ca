#pragma once
// What the catalogue knows of a model and the model's own files may lack.

#include "catalogue/catalogue.h"
#include "runtime/engine.h"

namespace dunnock {

// Sets the fallback template, the texts that end a turn under it, and the sampling that the model's
// card recommends.
void UseCatalogue(const CatalogueEntry& entry, EngineOptions* options);

}  // namespace dunnock
