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

// tokenizer.json, vocab.txt, ...: a file that makes a tokenizer by itself.
bool IsVocabulary(std::string_view file);
// Those, and the files of settings beside them.
bool IsTokenizerFile(std::string_view file);

// The files that make the model at a commit, as once listed; empty if never listed by us.
std::vector<std::string> ReadFileList(const std::string& repo, const std::string& commit,
                                      const HubOptions& options);
Status WriteFileList(const std::string& repo, const std::string& commit,
                     const std::vector<std::string>& files, const HubOptions& options);

struct Snapshot {
  std::string path;                  // empty: there is none
  std::vector<std::string> missing;  // files of the model that are not there
  bool complete() const { return !path.empty() && missing.empty(); }
};
Snapshot FindSnapshot(const std::string& repo, const std::string& revision, ModelPart part,
                      const HubOptions& options);

// refs/<revision>, only once all of the commit is there. A commit needs no reference.
Status WriteRef(const std::string& repo, const std::string& revision, const std::string& commit,
                const HubOptions& options);
// snapshots/<commit>/<file> -> ../../blobs/<etag>; the file itself where there are no links.
Status LinkFile(const std::string& repo, const std::string& commit, const std::string& file,
                const std::string& etag, const HubOptions& options);
// CACHEDIR.TAG, by which backup programs know a cache.
void TagCache(const HubOptions& options);

}  // namespace dunnock
