#pragma once
// The whole tokenizer of a folder as one tokenizer.json, for other formats that are made from it.

#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/json.h"
#include "base/result.h"

namespace dunnock {

// What Tokenizer::FromFiles makes a tokenizer of, with vocabulary and merges in it: tokenizer.json,
// or one made from an older file, changed as the folder's other files say. Arguments and errors as
// there.
Result<Json> WholeTokenizerJson(const FileSet& files, std::vector<std::string>* notes,
                                std::string_view model_type);

}  // namespace dunnock
