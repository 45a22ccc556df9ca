#pragma once
// The older files of tokenizers, rewritten as tokenizer.json: vocab.txt (WordPiece),
// tokenizer.model and sentencepiece.bpe.model (SentencePiece: BPE as Llama has it, Unigram as XLM-R
// has it).

#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/json.h"
#include "base/result.h"

namespace dunnock {

// An error that names the files looked for, if there is none of them.
Result<std::string> TokenizerJsonFromFiles(const FileSet& files);

Result<Json> TokenizerFromVocabTxt(std::string_view vocab, const Json& config);
Result<Json> TokenizerFromSentencePiece(ByteSpan model);

}  // namespace dunnock
