#pragma once
// The models in the cache: lists them and their files, and deletes them. Opens no connection.

#include <cstdint>
#include <string>
#include <vector>

#include "hub/hub.h"

namespace dunnock {

struct CachedFile {
  std::string name, path;
  uint64_t size_bytes = 0;
  std::string etag;  // what its hash should be; empty if that is not known
};
struct CachedModel {
  std::string name;  // the catalogue id, or else "org/name"
  std::string path;
  uint64_t size_bytes = 0;
  std::vector<CachedFile> files = {};
  std::vector<std::string> missing = {};  // files that were asked for and are not there yet
  bool has_weights = false;               // false: side files only, such as a tokenizer
  uint64_t unfinished_bytes = 0;          // in interrupted downloads
};
Result<std::vector<CachedModel>> ListCached(const HubOptions& options);
// The models in its folder, each of which can be opened alone: the usual weights, and every
// complete GGUF model.
std::vector<FetchedModel> ModelsIn(const CachedModel& model);
// Every file in a model's folder, or the one file. kIo if the folder cannot be read.
Result<std::vector<CachedFile>> ListFiles(const std::string& folder_or_file);
// The same without weights of other models in the folder.
Result<std::vector<CachedFile>> ListFiles(const FetchedModel& model);
// Deletes a cached model, or only the GGUF model that the part after the colon names. Returns the
// number of bytes that were freed. kNotFound if it is not in the cache; kIo, with what is left, if
// it cannot be deleted.
Result<uint64_t> RemoveCached(const std::string& name, const HubOptions& options);

}  // namespace dunnock
