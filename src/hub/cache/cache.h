#pragma once
// The cache on disk, in huggingface_hub's layout (docs/formats/cache.md): where files are, which
// are there and which are missing. Opens no connection. Several processes, Python's huggingface_hub
// among them, may use a cache at once.

#include <string>
#include <vector>

#include "hub/hub.h"
#include "io/file.h"

namespace dunnock {

// The path ".../models--org--name", and paths in it.
std::string RepoFolder(const std::string& repo, const HubOptions& options);
std::string SnapshotFolder(const std::string& repo, const std::string& commit,
                           const HubOptions& options);
std::string BlobPath(const std::string& repo, const std::string& etag, const HubOptions& options);
// Waits until no other process fetches this blob, and holds its lock, which is the one that
// huggingface_hub takes. Creates the folders of locks and blobs.
Result<FileLock> LockBlob(const std::string& repo, const std::string& etag,
                          const HubOptions& options);
// "org/name" with one slash and no characters that could lead out of the cache.
bool IsRepoName(std::string_view name);
// Whether a branch, tag or file name may become a path: it is relative and has no "..".
bool IsSafePath(std::string_view name);
bool IsCommit(std::string_view revision);

// What is known about a repository at a commit, kept beside the snapshot.
struct FileList {
  std::vector<std::string> wanted;      // files that were asked for so far
  std::vector<std::string> repository;  // all files; empty if an older version wrote the list
};
// Empty if this program has not fetched anything of that commit.
FileList ReadFileList(const std::string& repo, const std::string& commit,
                      const HubOptions& options);
Status AddToFileList(const std::string& repo, const std::string& commit,
                     const std::vector<std::string>& wanted,
                     const std::vector<std::string>& repository, const HubOptions& options);

// Removes files from those that were asked for.
Status TakeFromFileList(const std::string& repo, const std::string& commit,
                        const std::vector<std::string>& files, const HubOptions& options);

// Stands in lists of missing files for weights whose names are not known.
inline constexpr std::string_view kNoWeights = "the weights";
// What is missing in a snapshot that another program fetched: shards that an index names, or
// kNoWeights.
std::vector<std::string> MissingByContent(const std::string& folder);

struct Snapshot {
  std::string path;  // empty: there is no snapshot
  std::string commit;
  std::vector<std::string> missing;  // files of the model that are not there
  std::vector<std::string> gguf;     // the GGUF files of the model, if it is one
  bool complete() const { return !path.empty() && missing.empty(); }
};
// The snapshot of a revision (a branch, tag or commit; empty: main), as far as it is there.
// `gguf_part` chooses one of several GGUF models; empty: the repository's usual weights.
Snapshot FindSnapshot(const std::string& repo, const std::string& revision,
                      const std::string& gguf_part, ModelPart part, const HubOptions& options);

// Writes refs/<revision>; to be called once all files of the commit are there. Does nothing if the
// revision is a commit.
Status WriteRef(const std::string& repo, const std::string& revision, const std::string& commit,
                const HubOptions& options);
// Links snapshots/<commit>/<file> to ../../blobs/<etag>, or moves the file there if links cannot be
// used. A link that is already there is replaced atomically.
Status LinkFile(const std::string& repo, const std::string& commit, const std::string& file,
                const std::string& etag, const HubOptions& options);
// Writes CACHEDIR.TAG, by which backup programs recognize a cache.
void TagCache(const HubOptions& options);

}  // namespace dunnock
