#pragma once
// The models in the cache: which there are, which files they have, and how they are deleted. Opens
// no connection.

#include <cstdint>
#include <string>
#include <vector>

#include "hub/hub.h"

namespace dunnock {

struct CachedFile {
  std::string name, path;
  uint64_t size_bytes = 0;
  std::string etag;  // what its hash should be; empty where none is known
};
struct CachedModel {
  std::string name;  // "org/name" or the catalogue id
  std::string path;
  uint64_t size_bytes = 0;
  std::vector<CachedFile> files = {};
  std::vector<std::string> missing = {};  // files that were asked for and have not come yet
  bool has_weights = false;               // else side files only: complete, but nothing to run
  uint64_t unfinished_bytes = 0;          // of downloads that were interrupted
};
Result<std::vector<CachedModel>> ListCached(const HubOptions& options);
// The models in its folder, each to be opened by itself: the usual weights, and each of the GGUF
// files where there are several.
std::vector<FetchedModel> ModelsIn(const CachedModel& model);
// Every file of a model's folder (or the one file), by name.
Result<std::vector<CachedFile>> ListFiles(const std::string& folder_or_file);
// The same without the weights of other models in the folder.
Result<std::vector<CachedFile>> ListFiles(const FetchedModel& model);
// Deletes a cached model, or the one GGUF file of it that the name ends in; the result is how many
// bytes that freed.
Result<uint64_t> RemoveCached(const std::string& name, const HubOptions& options);

}  // namespace dunnock
