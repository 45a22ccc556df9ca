#include "hub/cache.h"

#include <algorithm>
#include <filesystem>
#include <set>

#include "base/json.h"
#include "base/str.h"
#include "hub/digest.h"
#include "hub/sources.h"

namespace dunnock {
namespace {

namespace fs = std::filesystem;

std::string ListPath(const std::string& repo, const std::string& commit,
                     const HubOptions& options) {
  return Str(RepoFolder(repo, options), "/dunnock/", commit, ".json");
}

constexpr std::string_view kVocabularies[] = {"tokenizer.json", "tokenizer.model", "vocab.txt",
                                              "sentencepiece.bpe.model"};
constexpr std::string_view kSettings[] = {"tokenizer_config.json", "special_tokens_map.json",
                                          "added_tokens.json", "chat_template.jinja"};

bool IsWeights(const std::string& file) {
  return file.ends_with(".safetensors") || file.ends_with(".bin") || file.ends_with(".gguf");
}

// Of a snapshot that another program fetched: the shards that an index names, or weights at all.
std::vector<std::string> MissingByContent(const std::string& folder) {
  std::vector<std::string> missing;
  bool weights = false;
  std::error_code error;
  for (const auto& file : fs::directory_iterator(folder, error))
    weights = weights || (IsWeights(file.path().string()) && file.exists(error));
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
  if (!weights && missing.empty()) missing.push_back("the weights");
  return missing;
}

}  // namespace

bool IsSafePath(std::string_view name) {
  return !name.empty() && name.front() != '/' && name.find("..") == std::string_view::npos &&
         name.find('\\') == std::string_view::npos && name.find('\0') == std::string_view::npos;
}

bool IsRepoName(std::string_view name) {
  const size_t slash = name.find('/');
  return slash != std::string_view::npos && slash > 0 && slash + 1 < name.size() &&
         name.find('/', slash + 1) == std::string_view::npos && name.front() != '.' &&
         name.find("--") == std::string_view::npos && IsSafePath(name) &&
         name.find_first_of("?#%@: \t\n") == std::string_view::npos;
}

bool IsCommit(std::string_view revision) { return revision.size() == 40 && IsEtag(revision); }

bool IsVocabulary(std::string_view file) {
  return std::find(std::begin(kVocabularies), std::end(kVocabularies), file) !=
         std::end(kVocabularies);
}

bool IsTokenizerFile(std::string_view file) {
  return IsVocabulary(file) ||
         std::find(std::begin(kSettings), std::end(kSettings), file) != std::end(kSettings);
}

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

std::vector<std::string> ReadFileList(const std::string& repo, const std::string& commit,
                                      const HubOptions& options) {
  std::vector<std::string> files;
  const auto text = ReadTextFile(ListPath(repo, commit, options));
  const auto json = text ? ParseJson(*text) : Result<Json>(Json());
  const Json* list = json ? FindMember(*json, "files") : nullptr;
  if (list == nullptr || !list->is_array()) return files;
  for (const Json& file : *list) {
    if (file.is_string() && IsSafePath(file.get<std::string>()))
      files.push_back(file.get<std::string>());
  }
  return files;
}

Status WriteFileList(const std::string& repo, const std::string& commit,
                     const std::vector<std::string>& files, const HubOptions& options) {
  const std::string text = DumpJsonPretty({{"files", files}}) + "\n";
  return WriteFileAtomically(ListPath(repo, commit, options), AsBytes(text));
}

Snapshot FindSnapshot(const std::string& repo, const std::string& revision, ModelPart part,
                      const HubOptions& options) {
  const std::string folder = RepoFolder(repo, options);
  std::string commit = revision.empty() ? "main" : revision;
  if (!IsSafePath(commit)) return {};
  if (const auto ref = ReadTextFile(Str(folder, "/refs/", commit))) {
    commit = *ref;
    while (!commit.empty() && commit.back() <= ' ') commit.pop_back();
  }
  if (!IsCommit(commit) || !IsFolder(Str(folder, "/snapshots/", commit))) return {};
  Snapshot out{Str(folder, "/snapshots/", commit), {}};
  if (part == ModelPart::kTokenizer) {
    const bool any =
        std::any_of(std::begin(kVocabularies), std::end(kVocabularies),
                    [&](std::string_view file) { return FileExists(Str(out.path, "/", file)); });
    if (!any) out.missing.push_back("the tokenizer");
    return out;
  }
  const std::vector<std::string> files = ReadFileList(repo, commit, options);
  if (files.empty()) out.missing = MissingByContent(out.path);
  for (const std::string& file : files) {
    if (!FileExists(Str(out.path, "/", file))) out.missing.push_back(file);
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
  std::error_code error;
  const fs::path blob = Str(folder, "/blobs/", etag);
  fs::remove(link, error);  // one that leads nowhere
  if (!options.no_links) {
    fs::create_symlink(blob.lexically_relative(link.parent_path()), link, error);
    if (!error || FileExists(link.string())) return {};
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
    const std::string blob = fs::canonical(file, error).filename().string();
    if (IsEtag(blob)) f.etag = blob;
    out.push_back(std::move(f));
  };
  if (!IsFolder(path)) {
    add(path, fs::path(path).filename().string());
    return out;
  }
  for (fs::recursive_directory_iterator it(path, error), end; it != end && !error;
       it.increment(error)) {
    if (it->is_regular_file(error))
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
  const auto add = [&](CachedModel model) -> Status {
    DUNNOCK_TRY(model.files, ListFiles(model.path));
    for (const CachedFile& f : model.files) model.size_bytes += f.size_bytes;
    out.push_back(std::move(model));
    return {};
  };
  for (const auto& folder : fs::directory_iterator(options.cache_dir, error)) {
    std::string repo = folder.path().filename().string();
    if (!repo.starts_with("models--")) continue;
    repo.erase(0, 8);
    if (const size_t split = repo.find("--"); split != std::string::npos)
      repo.replace(split, 2, "/");
    uint64_t unfinished = 0;
    for (const auto& blob : fs::directory_iterator(folder.path() / "blobs", error)) {
      if (blob.path().extension() == ".incomplete") unfinished += blob.file_size(error);
    }
    const CatalogueEntry* entry = FindInCatalogue(repo);
    const std::string name = entry != nullptr ? entry->id : repo;
    bool any = false;
    for (const auto& snapshot : fs::directory_iterator(folder.path() / "snapshots", error)) {
      const std::string commit = snapshot.path().filename().string();
      CachedModel model{name, snapshot.path().string()};
      model.missing = FindSnapshot(repo, commit, ModelPart::kAll, options).missing;
      if (!any) model.unfinished_bytes = unfinished;
      any = true;
      DUNNOCK_TRY_STATUS(add(std::move(model)));
    }
    if (!any && unfinished > 0) {
      CachedModel model{name, folder.path().string()};
      model.unfinished_bytes = unfinished;
      model.missing = {"the weights"};
      out.push_back(std::move(model));
    }
  }
  for (const CatalogueEntry& entry : Catalogue()) {
    const std::string folder = FindPackage(entry, options);
    if (!folder.empty()) DUNNOCK_TRY_STATUS(add({entry.id, folder}));
  }
  return out;
}

Result<uint64_t> RemoveCached(const std::string& name, const HubOptions& options) {
  const CatalogueEntry* entry = FindInCatalogue(name);
  const std::string repo = entry != nullptr ? entry->repo : name;
  std::vector<std::string> folders;
  if (IsRepoName(repo) && IsFolder(RepoFolder(repo, options)))
    folders.push_back(RepoFolder(repo, options));
  if (entry != nullptr && !FindPackage(*entry, options).empty())
    folders.push_back(FindPackage(*entry, options));
  if (folders.empty()) {
    return Fail(ErrorCode::kNotFound,
                Str(name, " is not in the cache: `dunnock list --cached` shows what is"));
  }
  uint64_t freed = 0;
  for (const std::string& folder : folders) {
    std::error_code error;
    for (const auto& file : fs::recursive_directory_iterator(folder, error)) {
      if (file.is_regular_file(error) && !file.is_symlink(error)) freed += file.file_size(error);
    }
    fs::remove_all(folder, error);
    if (error) return Fail(ErrorCode::kIo, Str(folder, ": cannot delete: ", error.message()));
  }
  return freed;
}

}  // namespace dunnock
