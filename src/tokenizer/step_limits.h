#pragma once
// How much the steps of a tokenizer may make of a text.

#include "base/json.h"
#include "base/result.h"

namespace dunnock {

// Refuses a tokenizer.json whose normalizers, pre-tokenizers or decoders could blow up a text.
Status CheckStepLimits(const Json& tokenizer);

}  // namespace dunnock
