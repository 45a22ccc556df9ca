#include "pipeline/build_all/record.h"

#include <algorithm>
#include <map>

#include "bundle/manifest.h"
#include "io/file.h"
#include "io/file_stamp.h"

namespace dunnock {
namespace {

constexpr std::string_view kStages[] = {"started", "written", "verified", "missed"};
constexpr std::string_view kFormat = "dunnock-build-record";

bool IsHidden(const std::string& name) {
  return name.starts_with('.') || name.find("/.") != std::string::npos;
}

bool SameBundle(const BuildRecord& record, const std::string& folder) {
  const auto text = ReadTextFile(folder + "/manifest.json");
  if (!text || record.bundle.empty() || OwnHashIn(*text) != record.bundle) return false;
  const auto manifest = ParseManifest(*text);
  return manifest && FileExists(folder + "/report.json") &&
         std::ranges::all_of(manifest->files, [&](const BundleFile& file) {
           return FileSize(folder + "/" + file.name) == file.size_bytes;
         });
}

bool SameSource(const BuildRecord& record, const std::vector<CachedFile>& files) {
  std::map<std::string, const SourceFile*> known;
  for (const SourceFile& file : record.source) known[file.name] = &file;
  size_t count = 0;
  for (const CachedFile& file : files) {
    if (IsHidden(file.name)) continue;
    ++count;
    const auto found = known.find(file.name);
    if (found == known.end()) return false;
    if (!found->second->stamp.empty() && found->second->stamp == FileStamp(file.path)) continue;
    const auto sha256 = Sha256OfFile(file.path);
    if (!sha256 || *sha256 != found->second->sha256) return false;
  }
  return count == known.size();
}

}  // namespace

std::optional<BuildRecord> ReadBuildRecord(const std::string& path) {
  const auto text = ReadTextFile(path);
  if (!text) return std::nullopt;
  const auto json = ParseOrderedJson(*text);
  if (!json || !json->is_object()) return std::nullopt;
  const auto plain = ParseJson(*text);
  if (!plain || FindString(*plain, "format") != kFormat || FindInt(*plain, "version") != 1)
    return std::nullopt;
  BuildRecord out;
  const auto stage = std::ranges::find(kStages, FindString(*plain, "stage").value_or(""));
  const Json* const source = FindMember(*plain, "source");
  if (stage == std::end(kStages) || source == nullptr || !source->is_array()) return std::nullopt;
  out.stage = static_cast<BuildStage>(stage - std::begin(kStages));
  out.options = FindString(*plain, "options").value_or("");
  out.bundle = FindString(*plain, "bundle").value_or("");
  for (const Json& file : *source) {
    out.source.push_back({FindString(file, "name").value_or(""),
                          FindString(file, "stamp").value_or(""),
                          FindString(file, "sha256").value_or("")});
  }
  if (json->contains("row")) out.row = (*json)["row"];
  if (json->contains("measured")) out.measured = (*json)["measured"];
  // Whoever reads a row relies on these.
  const Json* const row = FindMember(*plain, "row");
  const auto has = [&](const char* object, const char* key) {
    const Json* const found = row == nullptr ? nullptr : FindMember(*row, object);
    return found != nullptr && FindMember(*found, key) != nullptr;
  };
  if (out.stage != BuildStage::kStarted && !(has("bytes", "folder") && has("gate", "verdict")))
    return std::nullopt;
  return out;
}

Status WriteBuildRecord(const std::string& path, const std::string& temporaries,
                        const BuildRecord& record) {
  OrderedJson source = OrderedJson::array();
  for (const SourceFile& file : record.source)
    source.push_back({{"name", file.name}, {"stamp", file.stamp}, {"sha256", file.sha256}});
  const OrderedJson json = {{"format", kFormat},
                            {"version", 1},
                            {"stage", kStages[static_cast<int>(record.stage)]},
                            {"options", record.options},
                            {"source", source},
                            {"bundle", record.bundle},
                            {"row", record.row},
                            {"measured", record.measured}};
  return WriteFileAtomically(path, AsBytes(DumpJsonPretty(json) + "\n"), temporaries);
}

std::vector<SourceFile> StampFiles(const std::vector<CachedFile>& files) {
  std::vector<SourceFile> out;
  for (const CachedFile& file : files) {
    if (!IsHidden(file.name)) out.push_back({file.name, FileStamp(file.path), ""});
  }
  return out;
}

Status HashFiles(const std::vector<CachedFile>& files, const std::string& bundle_report,
                 std::vector<SourceFile>* source) {
  std::map<std::string, std::string> known, paths;
  if (const auto json = ParseJson(bundle_report)) {
    if (const Json* weights = FindMember(*json, "source_files")) {
      for (const Json& file : *weights)
        known[FindString(file, "name").value_or("")] = FindString(file, "sha256").value_or("");
    }
  }
  for (const CachedFile& file : files) paths[file.name] = file.path;
  for (SourceFile& file : *source) {
    file.sha256 = known[file.name];
    if (file.sha256.empty()) {
      DUNNOCK_TRY(file.sha256, Sha256OfFile(paths[file.name]));
    }
  }
  return {};
}

bool IsUpToDate(const BuildRecord& record, const std::string& options, const std::string& folder,
                const std::vector<CachedFile>* files) {
  if (record.stage == BuildStage::kStarted || record.options != options) return false;
  if (record.stage != BuildStage::kMissed && !SameBundle(record, folder)) return false;
  return files == nullptr || SameSource(record, *files);
}

}  // namespace dunnock
