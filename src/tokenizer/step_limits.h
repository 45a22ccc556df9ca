#pragma once
// A limit on how much longer the steps of a tokenizer may make a text.

#include "base/json.h"
#include "base/result.h"

namespace dunnock {

// kLimit if the normalizers and pre-tokenizers, or the decoders, of a tokenizer.json together could
// make a text more than 512 times as long. Encoding itself returns no errors, so this is checked
// when the file is read.
Status CheckStepLimits(const Json& tokenizer);

}  // namespace dunnock
