#pragma once
// Converts the older files of tokenizers to the JSON of a tokenizer.json: vocab.txt (WordPiece),
// tokenizer.model and sentencepiece.bpe.model (SentencePiece: BPE as in Llama, Unigram as in
// XLM-R). The reference is transformers' conversion of slow tokenizers.

#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/json.h"
#include "base/result.h"

namespace dunnock {

// The text of a tokenizer.json made from the first of these files that is there. kNotFound, with
// the names that were looked for, if none is; kInvalid for a broken file.
Result<std::string> TokenizerJsonFromFiles(const FileSet& files);

// `config` is tokenizer_config.json.
Result<Json> TokenizerFromVocabTxt(std::string_view vocab, const Json& config);
Result<Json> TokenizerFromSentencePiece(ByteSpan model);

}  // namespace dunnock
