#pragma once
// Translates a GGUF file to a Checkpoint: config from metadata, tensors renamed, llama's rows of q
// and k moved from ggml's interleaved order to half-split order (the only tensor bytes that are
// copied), tokenizer files from tokenizer.ggml.*. Errors name the key or the tensor.

#include "base/bytes.h"
#include "base/result.h"
#include "base/settings.h"
#include "checkpoint/checkpoint.h"
#include "checkpoint/gguf/architecture.h"
#include "checkpoint/gguf/file.h"

namespace dunnock {

// Fills config, tensors, files (those that are not there yet), notes and storage. `parts` are the
// parts of a split file in order, or one file; the first has the metadata. The tensors are views of
// the parts, which the caller has to keep. A file without tensors holds a vocabulary only: config
// then has nothing but the architecture.
Status ReadGgufCheckpoint(std::span<const Blob> parts, Checkpoint& out);

// The content of config.json. Errors: kInvalid for a number that is missing or out of range,
// kUnsupported for what config.json cannot say.
Result<Json> GgufConfig(const GgufFile& gguf, const GgufArchitecture& architecture);

// Adds a note for each metadata key that is not obeyed; kUnsupported for one that must not be
// ignored.
Status CheckGgufSettings(std::vector<std::string>* notes, const GgufFile& gguf,
                         std::string_view architecture);

// What is done with each key; "{arch}" in a key stands for the architecture's name.
std::span<const Setting> GgufSettings();
std::span<const Setting> GgufArchitectureSettings();

// Makes tokenizer.json, tokenizer_config.json and generation_config.json from the metadata and adds
// them to out.files; for an encoder that says how it pools, also the files of
// sentence-transformers. A tokenizer that cannot be expressed is left out with a note, since token
// ids can still be used.
Status AddTokenizerFiles(const GgufFile& gguf, Checkpoint& out);

// The content of generation_config.json: the ids that end a reply, and general.sampling.*.
Result<Json> GenerationConfigOf(const GgufFile& gguf, std::span<const uint64_t> end_ids);

// Adds modules.json and 1_Pooling/config.json if the file says how the encoder pools.
Status AddPoolingFiles(const GgufFile& gguf, Checkpoint& out);

}  // namespace dunnock
