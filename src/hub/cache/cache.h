#pragma once
// The cache on disk, in huggingface_hub's layout (docs/formats/cache.md): where things are, what is
// there, what is missing. Opens no connection.

#include <string>
#include <vector>

#include "hub/hub.h"
#include "io/file.h"

namespace dunnock {

// ".../models--org--name", and what lies in it.
std::string RepoFolder(const std::string& repo, const HubOptions& options);
std::string SnapshotFolder(const std::string& repo, const std::string& commit,
                           const HubOptions& options);
std::string BlobPath(const std::string& repo, const std::string& etag, const HubOptions& options);
// One process at a time fetches a blob; the lock is the one that huggingface_hub takes.
Result<FileLock> LockBlob(const std::string& repo, const std::string& etag,
                          const HubOptions& options);
// "org/name" with one slash and nothing that could leave the cache.
bool IsRepoName(std::string_view name);
// Branches, tags and file names become paths: relative, without "..".
bool IsSafePath(std::string_view name);
bool IsCommit(std::string_view revision);

// What is known of a repository at a commit, kept beside the snapshot.
struct FileList {
  std::vector<std::string> wanted;      // files that were asked for so far
  std::vector<std::string> repository;  // all there are; empty where an older program wrote it
};
// Empty if never listed by us.
FileList ReadFileList(const std::string& repo, const std::string& commit,
                      const HubOptions& options);
Status AddToFileList(const std::string& repo, const std::string& commit,
                     const std::vector<std::string>& wanted,
                     const std::vector<std::string>& repository, const HubOptions& options);

// The files that were asked for, without these.
Status TakeFromFileList(const std::string& repo, const std::string& commit,
                        const std::vector<std::string>& files, const HubOptions& options);

// Stands among missing files for weights of which no name is known.
inline constexpr std::string_view kNoWeights = "the weights";
// Of a snapshot that another program fetched: the shards that an index names, or weights at all.
std::vector<std::string> MissingByContent(const std::string& folder);

struct Snapshot {
  std::string path;  // empty: there is none
  std::string commit;
  std::vector<std::string> missing;  // files of the model that are not there
  std::vector<std::string> gguf;     // those that make the model
  bool complete() const { return !path.empty() && missing.empty(); }
};
// `gguf_part` names one of several GGUF models; empty: the repository's usual weights.
Snapshot FindSnapshot(const std::string& repo, const std::string& revision,
                      const std::string& gguf_part, ModelPart part, const HubOptions& options);

// refs/<revision>, only once all of the commit is there. A commit needs no reference.
Status WriteRef(const std::string& repo, const std::string& revision, const std::string& commit,
                const HubOptions& options);
// snapshots/<commit>/<file> -> ../../blobs/<etag>; the file itself where there are no links. One
// that is there already is replaced in one step.
Status LinkFile(const std::string& repo, const std::string& commit, const std::string& file,
                const std::string& etag, const HubOptions& options);
// CACHEDIR.TAG, by which backup programs know a cache.
void TagCache(const HubOptions& options);

}  // namespace dunnock
