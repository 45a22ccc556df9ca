#include "pipeline/judging/verify.h"

#include <algorithm>
#include <filesystem>

#include "base/str.h"
#include "bundle/bundle.h"
#include "hub/cache/digest.h"
#include "io/file.h"
#include "io/file_stamp.h"
#include "io/model_files.h"

namespace dunnock {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kManifest = "manifest.json";

Check ManifestCheck(std::string_view text) {
  const std::string_view written = OwnHashIn(text);
  if (written.empty()) {
    return {std::string(kManifest), false,
            "it has no hash of its own: it is damaged, or an older version made it"};
  }
  const std::string found = Sha256(AsBytes(WithOwnHash(std::string(text), kNoHash)));
  if (found == written) return {std::string(kManifest), true, ""};
  return {std::string(kManifest), false,
          Str("its own hash is ", written, ", found ", found, ": it was changed")};
}

Check FileCheck(const std::string& folder, const BundleFile& file, const ProgressFn& progress) {
  const std::string path = folder + "/" + file.name;
  const auto size = FileSize(path);
  if (!size) return {file.name, false, "it is missing"};
  if (*size != file.size_bytes)
    return {file.name, false, Str("manifest.json says ", file.size_bytes, " bytes, found ", *size)};
  const auto found = Sha256OfFile(path, progress);
  if (!found) return {file.name, false, found.error().message};
  if (*found != file.sha256)
    return {file.name, false, Str("manifest.json says SHA-256 ", file.sha256, ", found ", *found)};
  return {file.name, true, ""};
}

// A name that leads out of the folder is of no bundle that was made here.
bool StaysInside(const std::string& name) {
  const fs::path path(name);
  return !name.empty() && path.is_relative() &&
         std::ranges::none_of(path, [](const fs::path& part) { return part == ".."; });
}

OrderedJson StampsOf(const std::string& folder, const std::vector<Check>& checks) {
  OrderedJson stamps = OrderedJson::object();
  for (const Check& check : checks) stamps[check.name] = FileStamp(folder + "/" + check.name);
  return stamps;
}

}  // namespace

Result<std::vector<Check>> CheckFiles(const std::string& folder, const ProgressFn& progress) {
  DUNNOCK_TRY(const std::string text, ReadTextFile(folder + "/" + std::string(kManifest)));
  std::vector<Check> checks = {ManifestCheck(text)};
  const auto manifest = ParseManifest(text);
  if (!manifest) {
    // A damaged manifest may be damaged beyond reading; then nothing else is known.
    if (checks[0].passed) return std::unexpected(manifest.error());
    checks[0].detail += "; " + manifest.error().message;
    return checks;
  }
  for (const BundleFile& file : manifest->files) {
    checks.push_back(StaysInside(file.name)
                         ? FileCheck(folder, file, progress)
                         : Check{file.name, false, "the name leads out of the bundle's folder"});
  }
  return checks;
}

Result<std::vector<Check>> VerifyBundle(const std::string& folder, const ProgressFn& progress) {
  DUNNOCK_TRY(std::vector<Check> checks, CheckFiles(folder, progress));
  EngineOptions options;
  options.threads = ThreadPool::Current().threads();
  options.progress = progress;
  const auto files = OpenModelFiles(folder);
  if (!files) {
    checks.push_back({"loading", false, files.error().message});
    return checks;
  }
  const auto proof = files->find("proof.json");
  if (proof == files->end()) {
    checks.push_back({"proof.json", false, "it is missing: an older version made this bundle"});
    return checks;
  }
  const auto engine = Engine::Load(*files, options);
  if (!engine) {
    checks.push_back({"loading", false, engine.error().message});
    return checks;
  }
  const auto proven = CheckProof(**engine, proof->second.text());
  if (!proven) {
    checks.push_back({"proof.json", false, proven.error().message});
    return checks;
  }
  checks.insert(checks.end(), proven->begin(), proven->end());
  return checks;
}

Result<Checked> CheckBeforeUse(const std::string& folder, const std::string& memory_folder,
                               bool fetched, const ProgressFn& progress) {
  const std::string manifest = folder + "/" + std::string(kManifest);
  if (!FileExists(manifest)) return Checked{};
  DUNNOCK_TRY(const Blob text, MapFile(manifest));
  if (!IsBundle({{std::string(kManifest), text}})) return Checked{};

  std::error_code error;
  const std::string path = fs::weakly_canonical(folder, error).string();
  const std::string memory = memory_folder + "/" + Sha256(AsBytes(path)).substr(0, 32) + ".json";
  if (const auto remembered = ReadTextFile(memory)) {
    const auto json = ParseJson(*remembered);
    const Json* stamps = json ? FindMember(*json, "files") : nullptr;
    if (stamps != nullptr && stamps->is_object() && stamps->contains(std::string(kManifest)) &&
        std::ranges::all_of(stamps->items(), [&](const auto& item) {
          return item.value().is_string() && item.value() != "" &&
                 item.value() == FileStamp(folder + "/" + item.key());
        }))
      return Checked{};
  }

  DUNNOCK_TRY(const std::vector<Check> checks, CheckFiles(folder, progress));
  Checked out;
  for (const Check& check : checks) {
    // A manifest of an older version has no hash; what it says about the files is checked.
    if (check.passed || (check.name == kManifest && OwnHashIn(text.text()).empty() && !fetched))
      continue;
    const bool vital = check.name == kManifest || check.name.ends_with(".safetensors");
    const std::string what = Str(check.name, ": ", check.detail);
    if (vital || fetched) return Invalid(Str("the bundle is damaged: ", what));
    out.notes.push_back(Str(what, ": it was changed after the bundle was made"));
  }
  if (out.notes.empty()) {
    const OrderedJson json = {{"folder", path}, {"files", StampsOf(folder, checks)}};
    // Without a place to remember it the next use reads the files again.
    (void)WriteFileAtomically(memory, AsBytes(DumpJson(json) + "\n"));
  }
  return out;
}

}  // namespace dunnock
