#pragma once
// A checkpoint in several files: *.index.json says in its weight_map which shard holds which
// tensor. Shard names come from that file and are hostile: they never leave the folder.

#include <functional>
#include <string>

#include "base/bytes.h"
#include "base/result.h"
#include "checkpoint/checkpoint.h"

namespace dunnock {

// Reads one file's tensors; copies it has to make go to `storage`.
using TensorReader = std::function<Result<TensorMap>(const std::string& name, const Blob& file,
                                                     std::vector<Blob>& storage)>;

// Reads every shard that the index names, into out.tensors and out.storage. Every tensor of the
// weight_map must be in the shard it names; tensors it does not list are left out with a note.
Status ReadShards(const FileSet& files, const std::string& index_name, const TensorReader& read,
                  Checkpoint& out);

}  // namespace dunnock
