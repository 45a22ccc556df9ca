#include "hub/cache/cached_models.h"

#include <algorithm>
#include <filesystem>
#include <set>

#include "base/str.h"
#include "hub/cache/cache.h"
#include "hub/cache/digest.h"
#include "hub/cache/folders.h"
#include "hub/choose_files.h"
#include "hub/model_name.h"
#include "hub/sources.h"

namespace dunnock {

namespace fs = std::filesystem;

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
