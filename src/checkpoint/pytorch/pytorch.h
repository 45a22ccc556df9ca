#pragma once
// Reads one PyTorch file (docs/formats/pytorch.md): the zip that torch.save writes since 1.6, or
// the stream from before. Its pickle is a program: ours understands what tensors need and refuses
// everything else by name, so that opening a checkpoint never runs code.

#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "checkpoint/checkpoint.h"

namespace dunnock {

// The tensors of a state dict (or of the dict under its key "state_dict"). Contiguous ones are
// views of `file`; strided ones are copied, and the copies go to `storage`.
Result<TensorMap> ReadPytorch(const std::string& name, const Blob& file,
                              std::vector<Blob>& storage);

}  // namespace dunnock
