#pragma once
// Applies tokenizer_config.json, special_tokens_map.json and added_tokens.json to the tokenizer in
// tokenizer.json, as transformers 5 does: options of the tokenizer class that they name, and added
// tokens. Steps of tokenizer.json stay as they are where these files say nothing.

#include <span>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/json.h"
#include "base/settings.h"
#include "tokenizer/vocabulary.h"

namespace dunnock {

// The object in a side file, {} if there is no such file. A broken file counts as {} with a note;
// `notes` may be nullptr.
Json ReadSideFile(std::vector<std::string>* notes, const FileSet& files, const std::string& name);

// Changes the parsed tokenizer.json in place. `own_file` is true if the folder has that file, false
// if it was made from an older one. `model_type` is config.json's. Errors: kInvalid for a value of
// the wrong type, kUnsupported for a setting that would change ids and is not implemented.
Status ApplyTokenizerConfig(Json* tokenizer, std::vector<std::string>* notes, const FileSet& files,
                            const Vocabulary& vocabulary, std::string_view model_type,
                            bool own_file);

// The texts of bos_token, eos_token and the other special tokens, by these names.
OrderedJson FindSpecialTokens(const FileSet& files);

// What is done with each key of tokenizer_config.json.
std::span<const Setting> TokenizerSettings();

}  // namespace dunnock
