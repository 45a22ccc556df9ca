#pragma once
// A checkpoint in Hugging Face's dialect, whatever container it came in: config.json's keys,
// tensors by their Hugging Face names, and the model's other files. The readers translate at this
// border: GGUF's metadata becomes config.json, tokenizer.json and tokenizer_config.json, its tensor
// names become Hugging Face's, its permuted q/k rows are put back. Nothing is decoded here but by
// request.

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
  std::string format;  // "safetensors", "gguf" or "pytorch"
  Json config;         // config.json; {} if there is none
  TensorMap tensors;   // by Hugging Face name
  FileSet files;       // all others but weights: tokenizer.json, 1_Pooling/config.json, ...
  std::vector<std::string> notes;  // what was left out and why: a tokenizer that cannot be built
  std::vector<Blob> storage;       // keeps the tensors' bytes alive
};

// Opens the checkpoint in a folder's files (model.safetensors, model.safetensors.index.json with
// its shards, pytorch_model.bin, pytorch_model.bin.index.json with its shards, or one *.gguf;
// safetensors wins over pytorch, both over GGUF). Beside a GGUF file its own metadata is the
// config, but files that lie there (tokenizer.json) win over those made from metadata. An error
// names the file, what was expected and what was found.
Result<Checkpoint> OpenCheckpoint(const FileSet& files);

// Decodes rows [first_row, first_row + count) of a tensor of any float or block dtype to
// out (count, cols).
Status DecodeRows(const Tensor& tensor, uint64_t first_row, uint64_t count, std::span<float> out);

// The form of a block type that is whole codes with scales, taken apart without loss: all of GGUF's
// but IQ4_NL and IQ4_XS.
std::optional<AffineForm> AffineFormOf(DType dtype);
// One row of such a type.
void DecodeAffineRow(const Tensor& tensor, uint64_t row, const AffineRow& out);

}  // namespace dunnock
