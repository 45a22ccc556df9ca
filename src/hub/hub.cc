#include "hub/hub.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>

#include "base/str.h"
#include "hub/cache.h"
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

long Seconds(const char* name, long otherwise) {
  const long value = std::atol(Environment(name).c_str());
  return value > 0 ? value : otherwise;
}

std::string Trimmed(std::string text) {
  while (!text.empty() && text.back() <= ' ') text.pop_back();
  return text;
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
  if (IsTrue(Environment("HF_HUB_DISABLE_IMPLICIT_TOKEN"))) o.token.clear();
  o.no_links = IsTrue(Environment("HF_HUB_DISABLE_SYMLINKS"));
  o.etag_timeout_s = Seconds("HF_HUB_ETAG_TIMEOUT", o.etag_timeout_s);
  o.download_timeout_s = Seconds("HF_HUB_DOWNLOAD_TIMEOUT", o.download_timeout_s);
  o.offline = IsTrue(Environment("HF_HUB_OFFLINE")) || IsTrue(Environment("TRANSFORMERS_OFFLINE"));
  return o;
}

void HubOptions::SetCacheDir(const std::string& folder) {
  cache_dir = folder;
  package_dir = folder + "/dunnock";
}

Result<FetchedModel> FetchModel(const std::string& name, const HubOptions& options,
                                ModelPart part) {
  // Something on this disk?
  if (FileExists(name)) {
    const CatalogueEntry* like = nullptr;  // a folder named as a catalogue entry gets its fallbacks
    const std::string base = fs::path(name).lexically_normal().filename().string();
    if (IsFolder(name)) like = FindInCatalogue(base);
    return FetchedModel{name, name, "local", like};
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
  if (!revision.empty() && !IsSafePath(revision))
    return Invalid(Str(name, ": \"", revision, "\" cannot be a revision"));
  FetchedModel model{entry != nullptr ? entry->id : plain, "", "", entry};
  const auto found = [&](const std::string& path, const char* source) {
    model.path = path;
    model.source = source;
    return model;
  };
  const bool package =
      entry != nullptr && entry->package && at == std::string::npos && options.revision.empty();

  const Snapshot cached = FindSnapshot(repo, revision, part, options);
  const bool moves = options.refresh && !options.offline && !IsCommit(revision);
  if (cached.complete() && !moves) return found(cached.path, "cache");
  if (package && !cached.complete()) {
    if (const std::string folder = FindPackage(*entry, options); !folder.empty())
      return found(folder, "cache");
  }
  if (options.offline) {
    std::string missing;
    for (const std::string& file : cached.missing) missing += (missing.empty() ? "" : ", ") + file;
    return Fail(ErrorCode::kNotFound,
                Str(name,
                    cached.path.empty() ? " is not in the cache " + options.cache_dir
                                        : " is only partly in the cache (missing: " + missing + ")",
                    " and the network is off here: `dunnock pull ", name,
                    "` without --offline fetches it"));
  }
  auto fetched = FetchFromHub(repo, revision, part, options);
  if (fetched) return found(*fetched, "hub");
  // Only a hub that cannot be reached is a reason to look elsewhere.
  const bool unreachable = fetched.error().code == ErrorCode::kNetwork;
  if (unreachable && cached.complete()) return found(cached.path, "cache");
  if (!package || !unreachable) return In(name, std::move(fetched).error());
  auto unpacked = FetchPackage(*entry, options);
  if (!unpacked) {
    return Fail(unpacked.error().code, Str(name, ": the hub: ", fetched.error().message,
                                           "; the package index: ", unpacked.error().message));
  }
  return found(*unpacked, "package");
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

Status CompleteFiles(const FetchedModel& model, const std::string& tokenizer,
                     const HubOptions& options, FileSet* files) {
  constexpr const char* kPrompts = "config_sentence_transformers.json";
  if (model.entry != nullptr && !model.entry->prompts.empty() && !files->contains(kPrompts))
    (*files)[kPrompts] = Blob::FromString(DumpJson(Json{{"prompts", model.entry->prompts}}));

  const bool has_own = std::any_of(files->begin(), files->end(), [](const auto& file) {
    return IsVocabulary(file.first) || file.first.ends_with(".gguf");
  });
  const std::string other = !tokenizer.empty()                  ? tokenizer
                            : has_own || model.entry == nullptr ? ""
                                                                : model.entry->tokenizer_from;
  if (other.empty()) return {};
  auto source = FetchModel(other, options, ModelPart::kTokenizer);
  if (!source) {
    return In(Str(model.name, has_own ? "" : " has no tokenizer of its own", ", that of ", other),
              std::move(source).error());
  }
  DUNNOCK_TRY(const FileSet theirs, OpenFetched(*source));
  for (const auto& [name, blob] : theirs) {
    if (IsTokenizerFile(name)) (*files)[name] = blob;
  }
  return {};
}

}  // namespace dunnock
