#pragma once
// The metadata of a GGUF file that come from a model's side files: tokenizer, chat template, what
// ends a reply, pooling.

#include <string>
#include <vector>

#include "pipeline/export/export.h"
#include "pipeline/export/export_plan.h"

namespace dunnock {

// Adds them. What GGUF has no key for goes to the notes if it can be left out: sampling, prompts, a
// limit of tokens. A model without a tokenizer, or without `options.tokenizer`, gets none.
// Errors: kUnsupported for a tokenizer or a pooling that GGUF cannot express, kInvalid for a broken
// file.
Status WriteSideFiles(GgufMetadata* out, std::vector<std::string>* notes,
                      const Checkpoint& checkpoint, const GgufShape& shape,
                      const ExportOptions& options);

}  // namespace dunnock
