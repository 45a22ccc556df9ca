#pragma once
// The files of a model on disk, native only.

#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"

namespace dunnock {

// The parts that "m-00002-of-00003.gguf" is one of, in order; the file alone if it is whole.
std::vector<std::string> PartsOfGguf(const std::string& file);

// Every file below a folder, or one file, of a model in parts with the others, which lie beside it.
// Files are mapped; the weights of a bundle, which are used as they lie, by MapWeights.
Result<FileSet> OpenModelFiles(const std::string& path);

}  // namespace dunnock
