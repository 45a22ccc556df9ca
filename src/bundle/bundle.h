#pragma once
// A bundle: a folder in Hugging Face's layout whose matrices are stored in the form in which they
// are multiplied (docs/formats/bundle.md). Opening one converts nothing: weights point into the
// file.

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
  std::map<std::string, Weight> weights;  // by name without ".weight"; they keep the file alive
};

// Whether manifest.json claims to be a bundle's; if so OpenBundle says what is wrong with it.
bool IsBundle(const FileSet& files);

Result<Bundle> OpenBundle(const FileSet& files);

}  // namespace dunnock
