#pragma once
// From Hugging Face's dialect to GGUF's metadata: what gguf.h reads, made. llama.cpp loads the
// result.

#include <map>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "checkpoint/gguf/architecture.h"
#include "checkpoint/gguf/writer.h"

namespace dunnock {

// The numbers of a model. Lists have an entry per layer.
struct GgufShape {
  uint32_t hidden, context, vocab, head_dim;
  std::vector<uint32_t> heads, kv_heads, ffn;
  float norm_epsilon;
  float rope_theta;  // 0: no rotary positions
  bool causal;
  uint32_t token_types;  // of an encoder
  uint32_t labels;       // of a reranker; 0: none
};

// general.architecture and the keys of the architecture. kUnsupported if the layers differ where
// the architecture has one number for all.
Status WriteShape(GgufMetadata* out, const GgufArchitecture& architecture, const GgufShape& shape);

// bert.pooling_type of a mode as sentence-transformers calls it: "mean", "cls", "lasttoken".
Status WritePooling(GgufMetadata* out, std::string_view mode);

struct WrittenTokenizer {
  Json json;  // a whole tokenizer.json
  // The texts of special tokens by name: "bos_token", "unk_token", ...
  std::map<std::string, std::string> special;
  std::vector<int32_t> before, after;  // the ids that are put around a text
  std::vector<int32_t> ends;           // the ids that end a reply, the end of a text first
  std::string chat_template;           // empty: none
  // Rows of the embedding: GGUF names a token for each. Ids beyond it are left out with a note.
  uint32_t rows = 0;
};

// tokenizer.ggml.* for llama.cpp to tokenize as tokenizer.json says. kUnsupported for a step that
// GGUF cannot name; kInvalid for a tokenizer.json without vocabulary or with a token twice.
Status WriteTokenizer(GgufMetadata* out, std::vector<std::string>* notes,
                      const WrittenTokenizer& tokenizer);
// For a model without a tokenizer, which llama.cpp then runs on ids alone.
void WriteNoTokenizer(GgufMetadata* out);

}  // namespace dunnock
