#pragma once
// What tokenizer_config.json, special_tokens_map.json and added_tokens.json change of the tokenizer
// in tokenizer.json, as transformers 5 has it: options of the class that is named there, and added
// tokens. tokenizer.json's own steps stand where these files are silent.

#include <span>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/json.h"
#include "base/settings.h"
#include "tokenizer/vocabulary.h"

namespace dunnock {

// The object in a side file; {} where there is none, and with a note where it is broken.
Json ReadSideFile(std::vector<std::string>* notes, const FileSet& files, const std::string& name);

// Changes the parsed tokenizer.json. `own_file`: the folder has that file; else it was made from
// an older one. `model_type` is config.json's.
Status ApplyTokenizerConfig(Json* tokenizer, std::vector<std::string>* notes, const FileSet& files,
                            const Vocabulary& vocabulary, std::string_view model_type,
                            bool own_file);

// bos_token, eos_token, ... by name.
OrderedJson FindSpecialTokens(const FileSet& files);

std::span<const Setting> TokenizerSettings();

}  // namespace dunnock
