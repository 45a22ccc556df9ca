#pragma once
// A GGUF file as a checkpoint in Hugging Face's dialect: config from metadata, tensors renamed, the
// q and k rows of llama put back from ggml's interleaved order into half-split order (the only
// bytes that are copied), tokenizer files from tokenizer.ggml.*.

#include "base/bytes.h"
#include "base/result.h"
#include "checkpoint/checkpoint.h"
#include "checkpoint/gguf_file.h"

namespace dunnock {

// Fills config, tensors, files (those that are not there yet), notes and storage.
Status ReadGgufCheckpoint(const Blob& file, Checkpoint& out);

// tokenizer.json, tokenizer_config.json and generation_config.json from the metadata, into
// out.files. A tokenizer that cannot be expressed is left out with a note: weights alone have uses.
Status AddTokenizerFiles(const GgufFile& gguf, Checkpoint& out);

}  // namespace dunnock
