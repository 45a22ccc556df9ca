#pragma once
// What an embedder's files lack and the catalogue knows.

#include "base/bytes.h"
#include "catalogue/catalogue.h"

namespace dunnock {

// Adds the prompts of the entry, unless the files name their own: in the form of
// sentence-transformers, with the modules of a plain encoder where none are named.
void AddKnownPrompts(const CatalogueEntry& entry, FileSet* files);

}  // namespace dunnock
