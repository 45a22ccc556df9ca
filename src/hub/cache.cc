#include "hub/cache.h"

#include <algorithm>
#include <filesystem>
#include <set>

#include "base/json.h"
#include "base/str.h"
#include "hub/choose_files.h"
#include "hub/digest.h"
#include "hub/model_name.h"
#include "hub/sources.h"

namespace dunnock {
namespace {

namespace fs = std::filesystem;

std::string ListPath(const std::string& repo, const std::string& commit,
                     const HubOptions& options) {
  return Str(RepoFolder(repo, options), "/dunnock/", commit, ".json");
}

Status WriteFileList(const FileList& list, const std::string& path) {
  const std::string text =
      DumpJsonPretty({{"files", list.wanted}, {"repository", list.repository}}) + "\n";
  return WriteFileAtomically(path, AsBytes(text));
}

constexpr std::string_view kNoWeights = "the weights";

// Everything below a folder, links as links. Never throws; `error` is of the first entry that could
// not be read.
std::vector<fs::directory_entry> TreeOf(const fs::path& folder, std::error_code* error) {
  std::vector<fs::directory_entry> out;
  error->clear();
  fs::recursive_directory_iterator it(folder, *error), end;
  while (!*error && it != end) {
    out.push_back(*it);
    it.increment(*error);
  }
  return out;
}

std::vector<fs::directory_entry> EntriesOf(const fs::path& folder) {
  std::vector<fs::directory_entry> out;
  std::error_code error;
  fs::directory_iterator it(folder, error), end;
  while (!error && it != end) {
    out.push_back(*it);
    it.increment(error);
  }
  return out;
}

std::vector<std::string> NamesIn(const std::string& folder) {
  std::vector<std::string> out;
  std::error_code error;
  for (const auto& entry : TreeOf(folder, &error)) {
    std::error_code ignored;
    if (entry.is_regular_file(ignored))  // through links: one that leads nowhere is none
      out.push_back(entry.path().lexically_relative(folder).generic_string());
  }
  return out;
}

// Of a snapshot that another program fetched: the shards that an index names, or weights at all.
std::vector<std::string> MissingByContent(const std::string& folder) {
  std::vector<std::string> missing;
  const std::vector<std::string> names = NamesIn(folder);
  const bool weights = std::any_of(names.begin(), names.end(), [](const std::string& name) {
    return IsWeightsFile(name) && !name.ends_with(".json");
  });
  std::error_code error;
  for (const char* index : {"model.safetensors.index.json", "pytorch_model.bin.index.json"}) {
    const auto text = ReadTextFile(Str(folder, "/", index));
    const auto json = text ? ParseJson(*text) : Result<Json>(Json());
    const Json* map = json ? FindMember(*json, "weight_map") : nullptr;
    if (map == nullptr || !map->is_object()) continue;
    std::set<std::string> shards;
    for (const auto& [tensor, shard] : map->items()) {
      if (shard.is_string() && IsSafePath(shard.get<std::string>()))
        shards.insert(shard.get<std::string>());
    }
    // An index may lie beside whole weights of the other kind.
    if (fs::exists(folder + "/model.safetensors", error)) break;
    for (const std::string& shard : shards) {
      if (!FileExists(Str(folder, "/", shard))) missing.push_back(shard);
    }
    break;
  }
  if (!weights && missing.empty()) missing.emplace_back(kNoWeights);
  return missing;
}

}  // namespace

bool IsSafePath(std::string_view name) {
  return !name.empty() && name.front() != '/' && name.find("..") == std::string_view::npos &&
         name.find('\\') == std::string_view::npos &&
         std::none_of(name.begin(), name.end(), [](char c) { return c >= 0 && c < ' '; });
}

bool IsRepoName(std::string_view name) {
  const size_t slash = name.find('/');
  return slash != std::string_view::npos && slash > 0 && slash + 1 < name.size() &&
         name.find('/', slash + 1) == std::string_view::npos && name.front() != '.' &&
         name.find("--") == std::string_view::npos && IsSafePath(name) &&
         name.find_first_of("?#%@: \t\n") == std::string_view::npos;
}

bool IsCommit(std::string_view revision) { return revision.size() == 40 && IsEtag(revision); }

std::string RepoFolder(const std::string& repo, const HubOptions& options) {
  std::string name = repo;
  for (size_t at = 0; (at = name.find('/', at)) != std::string::npos;) name.replace(at, 1, "--");
  return Str(options.cache_dir, "/models--", name);
}

std::string SnapshotFolder(const std::string& repo, const std::string& commit,
                           const HubOptions& options) {
  return Str(RepoFolder(repo, options), "/snapshots/", commit);
}

std::string BlobPath(const std::string& repo, const std::string& etag, const HubOptions& options) {
  return Str(RepoFolder(repo, options), "/blobs/", etag);
}

Result<FileLock> LockBlob(const std::string& repo, const std::string& etag,
                          const HubOptions& options) {
  const std::string folder = RepoFolder(repo, options);
  const std::string locks =
      Str(options.cache_dir, "/.locks/", fs::path(folder).filename().string());
  DUNNOCK_TRY_STATUS(CreateFolders(locks));
  DUNNOCK_TRY_STATUS(CreateFolders(folder + "/blobs"));
  return FileLock::Acquire(Str(locks, "/", etag, ".lock"), [] {
    std::fputs("another process is fetching this file: waiting for it\n", stderr);
  });
}

FileList ReadFileList(const std::string& repo, const std::string& commit,
                      const HubOptions& options) {
  const auto text = ReadTextFile(ListPath(repo, commit, options));
  const auto json = text ? ParseJson(*text) : Result<Json>(Json());
  const auto names = [&](const char* key) {
    std::vector<std::string> out;
    const Json* list = json ? FindMember(*json, key) : nullptr;
    if (list == nullptr || !list->is_array()) return out;
    for (const Json& file : *list) {
      if (file.is_string() && IsSafePath(file.get<std::string>()))
        out.push_back(file.get<std::string>());
    }
    return out;
  };
  return {names("files"), names("repository")};
}

Status AddToFileList(const std::string& repo, const std::string& commit,
                     const std::vector<std::string>& wanted,
                     const std::vector<std::string>& repository, const HubOptions& options) {
  DUNNOCK_TRY(const FileLock lock, LockBlob(repo, commit, options));
  const std::vector<std::string> before = ReadFileList(repo, commit, options).wanted;
  std::set<std::string> all(before.begin(), before.end());
  all.insert(wanted.begin(), wanted.end());
  return WriteFileList({{all.begin(), all.end()}, repository}, ListPath(repo, commit, options));
}

Snapshot FindSnapshot(const std::string& repo, const std::string& revision,
                      const std::string& gguf_part, ModelPart part, const HubOptions& options) {
  const std::string folder = RepoFolder(repo, options);
  std::string commit = revision.empty() ? "main" : revision;
  if (!IsSafePath(commit)) return {};
  if (const auto ref = ReadTextFile(Str(folder, "/refs/", commit))) {
    commit = *ref;
    while (!commit.empty() && commit.back() <= ' ') commit.pop_back();
  }
  if (!IsCommit(commit) || !IsFolder(Str(folder, "/snapshots/", commit))) return {};
  Snapshot out{Str(folder, "/snapshots/", commit), commit, {}, {}};
  const FileList list = ReadFileList(repo, commit, options);
  const std::vector<std::string> there = NamesIn(out.path);
  const bool known = !list.repository.empty();
  // Of a snapshot that another program fetched only what is there is known.
  auto chosen = ChooseFiles(known ? list.repository : there, part, gguf_part);
  if (!chosen) {
    out.missing.push_back(gguf_part.empty() ? std::string(kNoWeights) : gguf_part);
    return out;
  }
  for (const std::string& file : *chosen) {
    if (file.ends_with(".gguf")) out.gguf.push_back(file);
  }
  if (known || (part == ModelPart::kAll && gguf_part.empty() && !list.wanted.empty())) {
    for (const std::string& file : known ? *chosen : list.wanted) {
      if (!FileExists(Str(out.path, "/", file))) out.missing.push_back(file);
    }
  } else if (part == ModelPart::kAll) {
    out.missing = MissingByContent(out.path);
  } else if (std::none_of(there.begin(), there.end(), [](const std::string& file) {
               return IsVocabulary(file) || file.ends_with(".gguf") || file == "config.json";
             })) {
    out.missing.push_back("the tokenizer");
  }
  return out;
}

Status WriteRef(const std::string& repo, const std::string& revision, const std::string& commit,
                const HubOptions& options) {
  if (revision == commit) return {};
  const std::string path = Str(RepoFolder(repo, options), "/refs/", revision);
  if (ReadTextFile(path).value_or("") == commit) return {};
  // Every file below refs/ is a branch to huggingface_hub: no temporary one may lie there.
  return WriteFileAtomically(path, AsBytes(commit),
                             fs::path(ListPath(repo, commit, options)).parent_path().string());
}

Status LinkFile(const std::string& repo, const std::string& commit, const std::string& file,
                const std::string& etag, const HubOptions& options) {
  const std::string folder = RepoFolder(repo, options);
  const fs::path link = Str(folder, "/snapshots/", commit, "/", file);
  DUNNOCK_TRY_STATUS(CreateFolders(link.parent_path().string()));
  const fs::path blob = Str(folder, "/blobs/", etag);
  if (!options.no_links) {
    // Made beside and renamed over what is there: no reader ever finds no file.
    std::error_code error;
    const std::string fresh = Str(folder, "/dunnock/", etag, ".link");
    DUNNOCK_TRY_STATUS(CreateFolders(folder + "/dunnock"));
    fs::remove(fresh, error);
    fs::create_symlink(blob.lexically_relative(link.parent_path()), fresh, error);
    if (!error) return RenameDurably(fresh, link.string());
  }
  return RenameDurably(blob.string(), link.string());
}

void TagCache(const HubOptions& options) {
  const std::string path = options.cache_dir + "/CACHEDIR.TAG";
  constexpr std::string_view kTag =
      "Signature: 8a477f597d28d172789f06886806bc55\n"
      "# Models fetched from a hub; what is here can be fetched again.\n";
  if (!FileExists(path)) (void)WriteFileAtomically(path, AsBytes(kTag));
}

Result<std::vector<CachedFile>> ListFiles(const std::string& path) {
  std::vector<CachedFile> out;
  std::error_code error;
  const auto add = [&](const fs::path& file, const std::string& name) {
    CachedFile f{name, file.string(), FileSize(file.string()).value_or(0), ""};
    // A blob is named by its hash.
    std::error_code ignored;
    const std::string blob = fs::canonical(file, ignored).filename().string();
    if (IsEtag(blob)) f.etag = blob;
    out.push_back(std::move(f));
  };
  if (!IsFolder(path)) {
    add(path, fs::path(path).filename().string());
    return out;
  }
  for (const fs::directory_entry& entry : TreeOf(path, &error)) {
    std::error_code ignored;
    if (entry.is_regular_file(ignored))
      add(entry.path(), entry.path().lexically_relative(path).generic_string());
  }
  if (error) return Fail(ErrorCode::kIo, Str(path, ": cannot list: ", error.message()));
  std::sort(out.begin(), out.end(),
            [](const CachedFile& a, const CachedFile& b) { return a.name < b.name; });
  return out;
}

Result<std::vector<CachedFile>> ListFiles(const FetchedModel& model) {
  DUNNOCK_TRY(std::vector<CachedFile> files, ListFiles(model.path));
  if (model.gguf.empty()) return files;
  std::erase_if(files, [&](const CachedFile& file) {
    return IsWeightsFile(file.name) &&
           std::find(model.gguf.begin(), model.gguf.end(), file.name) == model.gguf.end();
  });
  return files;
}

std::vector<FetchedModel> ModelsIn(const CachedModel& model) {
  std::vector<FetchedModel> out;
  std::vector<std::string> names;
  bool others = false;
  for (const CachedFile& file : model.files) {
    names.push_back(file.name);
    others = others || (IsWeightsFile(file.name) && !file.name.ends_with(".gguf") &&
                        !file.name.ends_with(".json"));
  }
  if (others) out.push_back({model.name, model.path, "cache", nullptr, {}});
  for (const GgufModel& gguf : GgufModels(names)) {
    if (gguf.missing.empty()) out.push_back({model.name, model.path, "cache", nullptr, gguf.parts});
  }
  return out;
}

Result<std::vector<CachedModel>> ListCached(const HubOptions& options) {
  std::vector<CachedModel> out;
  std::error_code error;
  const auto add = [&](CachedModel model) -> Status {
    DUNNOCK_TRY(model.files, ListFiles(model.path));
    for (const CachedFile& f : model.files) {
      model.size_bytes += f.size_bytes;
      model.has_weights =
          model.has_weights || (IsWeightsFile(f.name) && !f.name.ends_with(".json"));
    }
    out.push_back(std::move(model));
    return {};
  };
  for (const auto& folder : EntriesOf(options.cache_dir)) {
    std::string repo = folder.path().filename().string();
    if (!repo.starts_with("models--")) continue;
    repo.erase(0, 8);
    if (const size_t split = repo.find("--"); split != std::string::npos)
      repo.replace(split, 2, "/");
    uint64_t unfinished = 0;
    for (const auto& blob : EntriesOf(folder.path() / "blobs")) {
      if (blob.path().extension() == ".incomplete") unfinished += blob.file_size(error);
    }
    const CatalogueEntry* entry = FindInCatalogue(repo);
    const std::string name = entry != nullptr ? entry->id : repo;
    bool any = false;
    for (const auto& snapshot : EntriesOf(folder.path() / "snapshots")) {
      const std::string commit = snapshot.path().filename().string();
      CachedModel model{name, snapshot.path().string()};
      const FileList list = ReadFileList(repo, commit, options);
      for (const std::string& file : list.wanted) {
        if (!FileExists(Str(model.path, "/", file))) model.missing.push_back(file);
      }
      if (list.wanted.empty()) model.missing = MissingByContent(model.path);
      // Side files alone are what somebody asked for, and no model.
      if (list.wanted.empty() && model.missing == std::vector<std::string>{std::string(kNoWeights)})
        model.missing.clear();
      if (!any) model.unfinished_bytes = unfinished;
      any = true;
      DUNNOCK_TRY_STATUS(add(std::move(model)));
    }
    if (!any && unfinished > 0) {
      CachedModel model{name, folder.path().string()};
      model.unfinished_bytes = unfinished;
      model.missing = {std::string(kNoWeights)};
      out.push_back(std::move(model));
    }
  }
  for (const CatalogueEntry& entry : Catalogue()) {
    const std::string folder = FindPackage(entry, options);
    if (!folder.empty()) DUNNOCK_TRY_STATUS(add({entry.id, folder}));
  }
  return out;
}

namespace {

// Deletes a tree; the result is how many bytes that freed. The error says what is left.
Result<uint64_t> RemoveTree(const std::string& folder) {
  const auto bytes_of = [&](std::error_code* error) {
    uint64_t bytes = 0;
    for (const fs::directory_entry& entry : TreeOf(folder, error)) {
      std::error_code ignored;
      if (entry.is_regular_file(ignored) && !entry.is_symlink(ignored))
        bytes += entry.file_size(ignored);
    }
    return bytes;
  };
  std::error_code unread, error;
  const uint64_t before = bytes_of(&unread);
  fs::remove_all(folder, error);
  if (!error && !FileExists(folder)) return before;
  if (!error) error = unread;
  std::error_code still;
  const uint64_t left = bytes_of(&still);
  return Fail(ErrorCode::kIo, Str(folder, ": cannot delete: ", error.message(), ": ", left,
                                  still ? " bytes and more than can be read" : " bytes",
                                  " are left there (", before > left ? before - left : 0,
                                  " were freed): check the permissions, then delete it again"));
}

Status TakeFromFileList(const std::string& repo, const std::string& commit,
                        const std::vector<std::string>& files, const HubOptions& options) {
  DUNNOCK_TRY(const FileLock lock, LockBlob(repo, commit, options));
  FileList list = ReadFileList(repo, commit, options);
  if (list.wanted.empty()) return {};
  std::erase_if(list.wanted, [&](const std::string& file) {
    return std::find(files.begin(), files.end(), file) != files.end();
  });
  return WriteFileList(list, ListPath(repo, commit, options));
}

// One GGUF model of a repository, from all its snapshots; what else is there stays.
Result<uint64_t> RemoveGguf(const std::string& repo, const std::string& part,
                            const HubOptions& options) {
  Error last{ErrorCode::kNotFound, Str(repo, " is not in the cache")};
  std::vector<fs::path> links;
  std::set<fs::path> blobs;  // snapshots may share them
  for (const auto& snapshot : EntriesOf(RepoFolder(repo, options) + "/snapshots")) {
    const auto chosen = ChooseGguf(NamesIn(snapshot.path().string()), part);
    if (!chosen) {
      last.message = Str(repo, " in the cache: ", chosen.error().message);
      continue;
    }
    DUNNOCK_TRY_STATUS(
        TakeFromFileList(repo, snapshot.path().filename().string(), chosen->parts, options));
    std::error_code error;
    for (const std::string& file : chosen->parts) {
      links.push_back(snapshot.path() / file);
      blobs.insert(fs::canonical(links.back(), error));
    }
  }
  if (links.empty()) return std::unexpected(last);
  uint64_t freed = 0;
  for (const fs::path& blob : blobs) freed += FileSize(blob.string()).value_or(0);
  links.insert(links.end(), blobs.begin(), blobs.end());
  for (const fs::path& path : links) {
    std::error_code error;
    fs::remove(path, error);
    if (error)
      return Fail(ErrorCode::kIo, Str(path.string(), ": cannot delete: ", error.message()));
  }
  return freed;
}

}  // namespace

Result<uint64_t> RemoveCached(const std::string& text, const HubOptions& options) {
  const ModelName name = SplitModelName(text);
  const CatalogueEntry* entry = FindInCatalogue(name.plain);
  const std::string repo = entry != nullptr ? entry->repo : name.plain;
  std::vector<std::string> folders;
  const bool cached = IsRepoName(repo) && IsFolder(RepoFolder(repo, options));
  if (cached && !name.part.empty()) return RemoveGguf(repo, name.part, options);
  if (cached && name.revision.empty()) folders.push_back(RepoFolder(repo, options));
  if (entry != nullptr && name.part.empty() && !FindPackage(*entry, options).empty())
    folders.push_back(FindPackage(*entry, options));
  if (folders.empty()) {
    return Fail(ErrorCode::kNotFound, Str(text, " is not in the cache"), Remedy::kCachedModels);
  }
  uint64_t freed = 0;
  for (const std::string& folder : folders) {
    DUNNOCK_TRY(const uint64_t bytes, RemoveTree(folder));
    freed += bytes;
  }
  return freed;
}

}  // namespace dunnock
