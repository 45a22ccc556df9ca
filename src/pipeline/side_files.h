#pragma once
// The files of a bundle that come from its source and are not weights: tokenizer, templates and
// configuration, so that the bundle needs nothing else.

#include <string>

#include "checkpoint/checkpoint.h"
#include "pipeline/quantize.h"

namespace dunnock {

// config.json is among them. `original` are the files that the checkpoint was opened from.
FileSet SideFiles(const FileSet& original, const Checkpoint& checkpoint,
                  const QuantizeOptions& options);

// The licence in the front matter of the source's own model card; empty if it names none.
std::string LicenceInCard(const FileSet& original);

}  // namespace dunnock
