#pragma once
// A GGUF file as a checkpoint in Hugging Face's dialect: config from metadata, tensors renamed, the
// q and k rows of llama put back from ggml's interleaved order into half-split order (the only
// bytes that are copied), tokenizer files from tokenizer.ggml.*.

#include "base/bytes.h"
#include "base/result.h"
#include "base/settings.h"
#include "checkpoint/checkpoint.h"
#include "checkpoint/gguf/file.h"

namespace dunnock {

// Fills config, tensors, files (those that are not there yet), notes and storage. The parts of a
// split file in their order, or the one file; the first has the metadata. A file without tensors is
// a vocabulary: config then names the architecture alone.
Status ReadGgufCheckpoint(std::span<const Blob> parts, Checkpoint& out);

// What of the metadata is not done goes to the notes; what must not be ignored is an error.
Status CheckGgufSettings(std::vector<std::string>* notes, const GgufFile& gguf,
                         std::string_view architecture);

// The tables; "{arch}" stands for the architecture.
std::span<const Setting> GgufSettings();
std::span<const Setting> GgufArchitectureSettings();

// tokenizer.json, tokenizer_config.json and generation_config.json from the metadata, into
// out.files; of an encoder that says how it pools also the files of sentence-transformers. A
// tokenizer that cannot be expressed is left out with a note: weights alone have uses.
Status AddTokenizerFiles(const GgufFile& gguf, Checkpoint& out);

// generation_config.json: the ids that end a reply, and general.sampling.*.
Result<Json> GenerationConfigOf(const GgufFile& gguf, std::span<const uint64_t> end_ids);

// modules.json and 1_Pooling/config.json, where an encoder says how it pools.
Status AddPoolingFiles(const GgufFile& gguf, Checkpoint& out);

}  // namespace dunnock
