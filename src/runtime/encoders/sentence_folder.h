#pragma once
// The side files of a folder that sentence-transformers saved, read as that library (6.2) reads
// them: modules.json and the folders it names, sentence_bert_config.json, and
// config_sentence_transformers.json. None of them counts where there is no modules.json.

#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/settings.h"
#include "runtime/engine.h"

namespace dunnock {

struct SentenceModule {
  std::string name;  // of the class, without its package: "Pooling"
  std::string path;  // its folder; empty: the checkpoint's own
};

// In the order they run. An error names what is neither a Transformer, which is first, nor one of
// `others`. Empty: there is no modules.json.
Result<std::vector<SentenceModule>> ReadSentenceModules(const Engine& engine,
                                                        std::span<const std::string_view> others);

// What the library's Transformer module does with a text before the encoder sees it.
struct SentenceTransformer {
  size_t max_tokens = 0;   // special ones included
  bool lowercase = false;  // before all that the tokenizer does
};
// `modules`: whether there is a modules.json; `output`: what the module gives, "token_embeddings"
// or "scores".
Result<SentenceTransformer> ReadSentenceTransformer(std::vector<std::string>* notes,
                                                    const Engine& engine, bool modules,
                                                    std::string_view output);

struct SentencePrompts {
  std::map<std::string, std::string> by_name;  // "query": what is put in front of a text
  std::string default_name;                    // or empty
};
Result<SentencePrompts> ReadSentencePrompts(const Json& config);

// The tables of what is done with each key.
std::span<const Setting> SentenceBertSettings();
std::span<const Setting> EmbedderSettings();  // config_sentence_transformers.json
std::span<const Setting> RerankerSettings();  // the same file, of a cross-encoder
std::span<const Setting> PoolingSettings();
std::span<const Setting> NormalizeSettings();

}  // namespace dunnock
