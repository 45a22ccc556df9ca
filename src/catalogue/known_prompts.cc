#include "catalogue/known_prompts.h"

#include "base/str.h"

namespace dunnock {

void AddKnownPrompts(const CatalogueEntry& entry, FileSet* files) {
  constexpr const char* kPrompts = "config_sentence_transformers.json";
  if (entry.prompts.empty() || files->contains(kPrompts)) return;
  (*files)[kPrompts] = Blob::FromString(DumpJson(Json{{"prompts", entry.prompts}}));
  if (files->contains("modules.json")) return;
  // Prompts count where modules are named: those of a plain encoder.
  Json modules = Json::array();
  for (const char* type : {"Transformer", "Pooling", "Normalize"}) {
    const size_t index = modules.size();
    modules.push_back({{"idx", index},
                       {"name", std::to_string(index)},
                       {"path", index == 0 ? "" : Str(index, "_", type)},
                       {"type", Str("sentence_transformers.models.", type)}});
  }
  (*files)["modules.json"] = Blob::FromString(DumpJson(modules));
  (*files)["1_Pooling/config.json"] = Blob::FromString(R"({"pooling_mode": "mean"})");
}

}  // namespace dunnock
