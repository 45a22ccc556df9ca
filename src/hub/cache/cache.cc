#include "hub/cache/cache.h"

#include <algorithm>
#include <filesystem>
#include <set>

#include "base/json.h"
#include "base/str.h"
#include "hub/cache/digest.h"
#include "hub/cache/folders.h"
#include "hub/choose_files.h"
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

}  // namespace

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
    // Beside whole weights in safetensors, an index of PyTorch shards does not matter.
    if (fs::exists(folder + "/model.safetensors", error)) break;
    for (const std::string& shard : shards) {
      if (!FileExists(Str(folder, "/", shard))) missing.push_back(shard);
    }
    break;
  }
  if (!weights && missing.empty()) missing.emplace_back(kNoWeights);
  return missing;
}

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
  // If another program fetched the snapshot, only the files that are there are known.
  auto chosen = ChooseFiles(known ? list.repository : there, part, gguf_part);
  if (!chosen) {
    out.missing.push_back(gguf_part.empty() ? std::string(kNoWeights) : gguf_part);
    return out;
  }
  for (const std::string& file : *chosen) {
    if (file.ends_with(".gguf")) out.gguf.push_back(file);
  }
  // What has to be there: the model's files in the repository; or, if that list is not known, the
  // files that were asked for; or what the content of the snapshot shows to be missing.
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
  // huggingface_hub takes every file below refs/ for a branch, so temporary files go elsewhere.
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
    // A new link is renamed over the old one, so that a reader always finds a file.
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

}  // namespace dunnock
