#pragma once
// Bundle: a folder in Hugging Face's layout whose matrices are stored in the form in which they are
// multiplied (docs/formats/bundle.md). Opening one converts nothing: weights point into the bytes
// of the file. Only the matrices of a coded shard are decoded, into memory.

#include <map>
#include <string>

#include "base/bytes.h"
#include "base/result.h"
#include "bundle/manifest.h"
#include "checkpoint/checkpoint.h"
#include "tensor/weight.h"

namespace dunnock {

struct Bundle {
  Manifest manifest;
  Checkpoint checkpoint;                  // config, vectors, tables and side files
  std::map<std::string, Weight> weights;  // by name without ".weight"; they own a share of the file
  uint64_t stored_bytes = 0;              // of all tensors in the file, without padding
};

// Whether there is a manifest.json that claims to be a bundle's. Whether it is valid is up to
// OpenBundle.
bool IsBundle(const FileSet& files);

// Checks the manifest against the files and the tensors before it uses any number in it. Hashes are
// not verified. Weights are copied only if the file's bytes do not begin on a 64-byte boundary.
// Errors: kNotFound for a missing file or tensor, kInvalid for a file that does not fit the
// manifest, kUnsupported for another version, and those of OpenCheckpoint. Coded matrices are
// decoded on the current pool. Throws OutOfMemory.
Result<Bundle> OpenBundle(const FileSet& files);

}  // namespace dunnock
