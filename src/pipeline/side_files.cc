#include "pipeline/side_files.h"

#include <algorithm>

#include "runtime/engine.h"

namespace dunnock {
namespace {

bool EndsWithOneOf(std::string_view name, std::initializer_list<std::string_view> suffixes) {
  return std::any_of(suffixes.begin(), suffixes.end(),
                     [&](std::string_view s) { return name.ends_with(s); });
}

// In the folder itself, configuration, vocabularies, templates and licences are kept; in folders
// below it only further templates and the configs of sentence-transformers' modules
// ("1_Pooling/config.json").
bool BelongsInBundle(std::string_view name, const Json& modules) {
  const size_t slash = name.rfind('/');
  if (slash != std::string_view::npos) {
    const std::string_view folder = name.substr(0, slash);
    if (folder == "additional_chat_templates") return name.ends_with(".jinja");
    return name.substr(slash) == "/config.json" &&
           std::ranges::any_of(
               modules, [&](const Json& module) { return FindString(module, "path") == folder; });
  }
  if (name.starts_with("LICENSE") || name.starts_with("NOTICE")) return true;
  // Not files of the model: a bundle gets a manifest, a report and a proof of its own.
  if (name == "manifest.json" || name == "report.json" || name == "proof.json") return false;
  return EndsWithOneOf(name, {".json", ".jinja", ".model"}) || name == "vocab.txt" ||
         name == "merges.txt";
}

}  // namespace

FileSet SideFiles(const FileSet& original, const Checkpoint& checkpoint,
                  const QuantizeOptions& options) {
  FileSet out;
  Json modules = Json::array();
  if (const auto it = checkpoint.files.find("modules.json"); it != checkpoint.files.end())
    modules = ParseJson(it->second.text()).value_or(Json::array());
  for (const auto& [name, blob] : checkpoint.files) {
    if (BelongsInBundle(name, modules)) out.emplace(name, blob);
  }
  // The source's own bytes, unless the checkpoint's reader made or changed the file.
  const auto config = original.find("config.json");
  const auto own =
      config == original.end() ? Result<Json>(Json()) : ParseJson(config->second.text());
  out["config.json"] =
      own && *own == checkpoint.config
          ? config->second
          : Blob::FromString(DumpJsonPretty(OrderedJson(checkpoint.config)) + "\n");
  if (!options.fallback_template.empty() && FindChatTemplate(checkpoint.files) == "")
    out["chat_template.jinja"] = Blob::FromString(options.fallback_template);
  return out;
}

std::string LicenceInCard(const FileSet& files) {
  const auto card = files.find("README.md");
  if (card == files.end()) return "";
  const std::string_view text = card->second.text();
  constexpr std::string_view kKey = "\nlicense: ";
  const size_t end = text.find("\n---", 1);
  const size_t at = text.substr(0, end).find(kKey);
  if (!text.starts_with("---") || end == std::string_view::npos || at == std::string_view::npos)
    return "";
  std::string_view value = text.substr(at + kKey.size());
  value = value.substr(0, value.find('\n'));
  if (value.ends_with('\r')) value.remove_suffix(1);
  return std::string(value);
}

}  // namespace dunnock
