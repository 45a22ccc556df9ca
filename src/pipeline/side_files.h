#pragma once
// The files of a bundle that are not weights: the source's tokenizer, templates and configuration,
// so that the bundle needs nothing else, and a model card.

#include <string>

#include "checkpoint/checkpoint.h"
#include "pipeline/quantize.h"

namespace dunnock {

// All side files but README.md and manifest.json; config.json is included. `original` are the files
// that the checkpoint was opened from.
FileSet SideFiles(const FileSet& original, const Checkpoint& checkpoint,
                  const QuantizeOptions& options);

std::string ModelCard(const FileSet& original, const Checkpoint& checkpoint,
                      const QuantizeOptions& options, const QuantizeReport& report);

}  // namespace dunnock
