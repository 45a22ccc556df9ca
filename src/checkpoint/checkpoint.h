#pragma once
// A checkpoint in Hugging Face's dialect, whatever container it came in: config.json's keys,
// tensors by their Hugging Face names, and the model's other files. The readers translate at this
// border: GGUF's metadata becomes config.json, tokenizer.json and tokenizer_config.json, its tensor
// names become Hugging Face's, its permuted q/k rows are put back. Nothing is decoded here but by
// request.

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/json.h"
#include "base/result.h"
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

// A block type whose values are scale * code + minimum, with codes of up to 8 bits, taken apart
// without loss. IsAffine: Q4_0, Q4_1, Q5_0, Q5_1, Q8_0, Q2_K, Q4_K, Q5_K.
bool IsAffine(DType dtype);
uint32_t AffineGroupSize(DType dtype);  // 32, or 16 for Q2_K
int AffineCodeBits(DType dtype);        // 2, 4, 5 or 8
// One row: codes (cols) unsigned (Q8_0's signed codes plus 128), scales and minimums
// (cols / group), so that DecodeRows gives scale * code + minimum up to float rounding.
void DecodeAffineRow(const Tensor& tensor, uint64_t row, std::span<uint8_t> codes,
                     std::span<float> scales, std::span<float> minimums);

}  // namespace dunnock
