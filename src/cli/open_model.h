#pragma once
// Opening a model by the name that a user gives: an id of the catalogue, a repository, a folder, a
// file (docs/cli.md). Fetches what is missing, with a progress line.

#include <memory>
#include <string>

#include "cli/flags/flags.h"
#include "runtime/engine.h"

namespace dunnock::cli {

// The files of a model, fetched if need be, with what the catalogue knows and they lack. *entry
// gets what the catalogue knows, null if nothing. `prepare`: as a load left them in the cache, or
// leaves them now (pipeline/prepare.h), on the current pool.
Result<FileSet> OpenModel(const Common& common, const std::string& name,
                          const CatalogueEntry** entry = nullptr, ModelPart part = ModelPart::kAll,
                          bool prepare = false);
// What the prepared form of a model says that it comes from: a catalogue id or repository, or the
// whole path of a file or folder.
std::string PreparedName(const std::string& name);
// The folder of all prepared models.
std::string PreparedFolder(const Common& common);
// All but the weights, which are not even fetched (but for a GGUF that has the tokenizer).
Result<FileSet> OpenSideFiles(const Common& common, const std::string& name,
                              const CatalogueEntry** entry = nullptr);
// The tokenizer that the model itself would have: config.json has its say, too.
Result<Tokenizer> OpenTokenizer(const Common& common, const std::string& name);
// The source of a template by name ("zephyr") or file.
Result<std::string> ReadChatTemplate(const std::string& name_or_file);
// Loads a model under the flags of AddComputeFlags, and says its notes.
Result<std::unique_ptr<Engine>> LoadEngine(const Common& common, const std::string& name);

}  // namespace dunnock::cli
