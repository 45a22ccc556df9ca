#pragma once
// Checkpoints in several files: the weight_map of *.index.json says which shard holds which tensor.
// Shard names come from that file and are not trusted: they cannot name a file outside the folder.

#include <functional>
#include <string>

#include "base/bytes.h"
#include "base/result.h"
#include "checkpoint/checkpoint.h"

namespace dunnock {

// Reads the tensors of one file. Tensors that have to be copied get their bytes from Blobs that it
// appends to `storage`.
using TensorReader = std::function<Result<TensorMap>(const std::string& name, const Blob& file,
                                                     std::vector<Blob>& storage)>;

// Reads every shard that the index names into out.tensors and out.storage. Tensors that the
// weight_map does not list are left out with a note. Errors: kInvalid for a broken index or a
// tensor that is not in the shard the index names, kNotFound for a missing shard, kLimit, and those
// of `read`.
Status ReadShards(const FileSet& files, const std::string& index_name, const TensorReader& read,
                  Checkpoint& out);

}  // namespace dunnock
