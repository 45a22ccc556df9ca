#pragma once
// The side files of a folder that sentence-transformers saved, read as that library (6.2) reads
// them: modules.json and the folders it names, sentence_bert_config.json and
// config_sentence_transformers.json. Without modules.json the others are ignored. Errors of all
// functions here: kInvalid for a broken file, kUnsupported for a setting that is not implemented.

#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/settings.h"
#include "runtime/engine.h"

namespace dunnock {

struct SentenceModule {
  std::string name;  // of its class, without the package: "Pooling"
  std::string path;  // its folder; empty: the checkpoint's own
};

// The modules in the order they run; empty if there is no modules.json. kUnsupported unless the
// first is a Transformer and the rest are in `others`.
Result<std::vector<SentenceModule>> ReadSentenceModules(const Engine& engine,
                                                        std::span<const std::string_view> others);

// What the library's Transformer module does with a text before the encoder sees it.
struct SentenceTransformer {
  size_t max_tokens = 0;   // per text, special tokens included
  bool lowercase = false;  // before the tokenizer's own steps
};
// `modules` says whether there is a modules.json; `output` what the module has to give:
// "token_embeddings" or "scores".
Result<SentenceTransformer> ReadSentenceTransformer(std::vector<std::string>* notes,
                                                    const Engine& engine, bool modules,
                                                    std::string_view output);

struct SentencePrompts {
  std::map<std::string, std::string> by_name;  // name ("query") -> the text put in front
  std::string default_name;                    // empty: none
};
Result<SentencePrompts> ReadSentencePrompts(const Json& config);

// The tables of what is done with each key.
std::span<const Setting> SentenceBertSettings();
std::span<const Setting> EmbedderSettings();  // config_sentence_transformers.json
std::span<const Setting> RerankerSettings();  // the same file, of a cross-encoder
std::span<const Setting> PoolingSettings();
std::span<const Setting> NormalizeSettings();

}  // namespace dunnock
