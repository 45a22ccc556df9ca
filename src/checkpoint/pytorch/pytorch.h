#pragma once
// Reads one PyTorch file (docs/formats/pytorch.md): the zip archive that torch.save writes since
// 1.6, or the older stream of pickles. Opening a checkpoint never runs code (pickle.h).

#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "checkpoint/checkpoint.h"

namespace dunnock {

// The tensors of a state dict (or of the dict under its key "state_dict"). Contiguous tensors are
// views of `file`, which must outlive them; others are copied to Blobs that are appended to
// `storage`. Errors: kInvalid, kUnsupported or kLimit, with `name` and the tensor in the message.
Result<TensorMap> ReadPytorch(const std::string& name, const Blob& file,
                              std::vector<Blob>& storage);

}  // namespace dunnock
