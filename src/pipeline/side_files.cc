#include "pipeline/side_files.h"

#include <algorithm>
#include <cstdio>

#include "base/str.h"
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
  // Not files of the model: a bundle gets a manifest of its own, a report belongs to another run.
  if (name == "manifest.json" || name == "report.json") return false;
  return EndsWithOneOf(name, {".json", ".jinja", ".model"}) || name == "vocab.txt" ||
         name == "merges.txt";
}

// The value of "license:" in the source's own model card.
std::string LicenceOf(const FileSet& files) {
  const auto card = files.find("README.md");
  if (card == files.end()) return "";
  const std::string_view text = card->second.text();
  constexpr std::string_view kKey = "\nlicense: ";
  const size_t end = text.find("\n---", 1);
  const size_t at = text.substr(0, end).find(kKey);
  if (!text.starts_with("---") || end == std::string_view::npos || at == std::string_view::npos)
    return "";
  const std::string_view value = text.substr(at + kKey.size());
  return std::string(value.substr(0, value.find('\n')));
}

std::string Fixed(double value, const char* format) {
  char buffer[48];
  std::snprintf(buffer, sizeof buffer, format, value);
  return buffer;
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

std::string ModelCard(const FileSet& original, const Checkpoint& checkpoint,
                      const QuantizeOptions& options, const QuantizeReport& report) {
  const std::string name = options.source_name;
  const bool repo =
      std::count(name.begin(), name.end(), '/') == 1 && name.front() != '/' && name.front() != '.';
  const std::string licence = LicenceOf(original);
  std::string out = "---\nlibrary_name: dunnock\n";
  if (repo) out += Str("base_model: ", name, "\nbase_model_relation: quantized\n");
  if (!licence.empty()) out += Str("license: ", licence, "\n");
  out += Str("---\n\n# ", name, ", ", NameOf(options.format), "\n\n", "A ",
             FindString(checkpoint.config, "model_type").value_or("model"), " of ",
             Fixed(static_cast<double>(report.parameters) / 1e6, "%.1f"),
             " million parameters, rounded to nearest by Dunnock, without calibration: ",
             Fixed(report.bits_per_weight(), "%.2f"), " bits a parameter, ",
             Fixed(static_cast<double>(report.bundle_bytes) / 1e6, "%.1f"), " MB.\n\n",
             "| encoding | parameters |\n|--|--:|\n");
  for (const auto& [encoding, count] : report.parameters_by_encoding)
    out += Str("| ", encoding, " | ", count, " |\n");
  return out +
         "\n`manifest.json` says how each matrix is encoded, and has the SHA-256 of every "
         "file. Run it with\n\n    dunnock run FOLDER\n";
}

}  // namespace dunnock
