#pragma once
// Checkpoint: a model as Hugging Face would store it, whatever container it came in: config.json's
// keys, tensors by their Hugging Face names, and the model's other files. The readers translate:
// GGUF's metadata becomes config.json, tokenizer.json and tokenizer_config.json, its tensor names
// become Hugging Face's, and its permuted rows of q and k are put back. Tensors stay as they are
// stored until DecodeRows or DecodeAffineRow is called.

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/json.h"
#include "base/result.h"
#include "tensor/affine.h"
#include "tensor/tensor.h"

namespace dunnock {

using TensorMap = std::map<std::string, Tensor>;

struct Checkpoint {
  std::string format;              // "safetensors", "gguf" or "pytorch"
  Json config;                     // config.json; {} if there is none
  TensorMap tensors;               // by Hugging Face name; their bytes live as long as `storage`
  FileSet files;                   // all files but weights and config.json: tokenizer.json, ...
  std::vector<std::string> notes;  // what was left out and why, in words for the user
  std::vector<Blob> storage;       // owns the tensors' bytes
};

// Opens the checkpoint in a folder's files: model.safetensors, model.safetensors.index.json with
// its shards, pytorch_model.bin, pytorch_model.bin.index.json with its shards, or one GGUF model,
// whole or split; the first of these that is there. With a GGUF model the config comes from its
// metadata, but files of the folder (tokenizer.json) take precedence over those made from metadata.
// Errors: kNotFound if there is no checkpoint or a part of it is missing, kInvalid for a broken
// file or several GGUF models, kUnsupported, kLimit. The message names the file, what was expected
// and what was found.
Result<Checkpoint> OpenCheckpoint(const FileSet& files);

// Decodes rows [first_row, first_row + count) of a tensor to out (count, cols). kUnsupported unless
// its dtype is a float type or one of GGUF's quantized types; kInvalid for rows that it does not
// have or an `out` of another size.
Status DecodeRows(const Tensor& tensor, uint64_t first_row, uint64_t count, std::span<float> out);

// The affine form of one of GGUF's quantized types, which holds the same values without loss.
// nullopt for IQ4_NL and IQ4_XS, whose codes index a table, and for all other types.
std::optional<AffineForm> AffineFormOf(DType dtype);
// Takes apart one row of a tensor whose dtype has an affine form.
void DecodeAffineRow(const Tensor& tensor, uint64_t row, const AffineRow& out);

}  // namespace dunnock
