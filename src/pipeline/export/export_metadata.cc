#include "pipeline/export/export_metadata.h"

#include <algorithm>

#include "base/str.h"
#include "runtime/engine.h"
#include "tokenizer/files/tokenizer_config.h"
#include "tokenizer/files/whole_json.h"

namespace dunnock {
namespace {

// The ids that are put around a text, seen on one.
Status FindEdges(WrittenTokenizer* out, const Tokenizer& tokenizer) {
  constexpr std::string_view kText = "a";
  const std::vector<int32_t> bare = tokenizer.Encode(kText, {.add_special = false});
  const std::vector<int32_t> all = tokenizer.Encode(kText);
  const auto at = std::search(all.begin(), all.end(), bare.begin(), bare.end());
  if (bare.empty() || at == all.end())
    return Unsupported("the tokenizer changes a text that it puts tokens around");
  out->before.assign(all.begin(), at);
  out->after.assign(at + static_cast<ptrdiff_t>(bare.size()), all.end());
  return {};
}

// One id or a list of them.
void AddIds(std::vector<int32_t>* out, const Json& json, std::string_view key) {
  const Json* ids = FindMember(json, key);
  if (ids == nullptr) return;
  for (const Json& id : ids->is_array() ? *ids : Json::array({*ids})) {
    if (id.is_number_integer() && std::ranges::find(*out, id.get<int32_t>()) == out->end())
      out->push_back(id.get<int32_t>());
  }
}

// The tokenizer's end of a text first, then what else the side files say.
std::vector<int32_t> EndsOfReply(std::vector<std::string>* notes, const Checkpoint& checkpoint,
                                 const Tokenizer& tokenizer, const std::string& eos) {
  std::vector<int32_t> out;
  if (const auto id = tokenizer.TokenId(eos)) out.push_back(*id);
  const Json generation = ReadSideFile(notes, checkpoint.files, "generation_config.json");
  AddIds(&out, FindMember(generation, "eos_token_id") != nullptr ? generation : checkpoint.config,
         "eos_token_id");
  if (FindBool(generation, "do_sample").value_or(false))
    notes->push_back("generation_config.json: its sampling settings are not written");
  return out;
}

Status AddTokenizer(GgufMetadata* out, std::vector<std::string>* notes,
                    const Checkpoint& checkpoint, const GgufShape& shape,
                    const ExportOptions& options) {
  const FileSet& files = checkpoint.files;
  const std::string type = FindString(checkpoint.config, "model_type").value_or("");
  auto json = options.tokenizer ? WholeTokenizerJson(files, notes, type)
                                : Result<Json>(Fail(ErrorCode::kNotFound, "not asked for"));
  if (!json && json.error().code == ErrorCode::kNotFound) {
    notes->push_back("the file has no tokenizer: llama.cpp runs it on token ids alone");
    WriteNoTokenizer(out);
    return {};
  }
  if (!json) return std::unexpected(std::move(json).error());
  DUNNOCK_TRY(const Tokenizer tokenizer, Tokenizer::FromFiles(files, nullptr, type));
  WrittenTokenizer written;
  written.json = *std::move(json);
  const OrderedJson special = FindSpecialTokens(files);
  for (const auto& [name, text] : special.items()) {
    if (text.is_string()) written.special[name] = text.get<std::string>();
  }
  DUNNOCK_TRY_STATUS(FindEdges(&written, tokenizer));
  if (shape.causal) {
    written.ends = EndsOfReply(notes, checkpoint, tokenizer, written.special["eos_token"]);
    DUNNOCK_TRY(written.chat_template, FindChatTemplate(files));
    if (written.chat_template.empty()) written.chat_template = options.fallback_template;
  }
  written.rows = shape.vocab;
  return WriteTokenizer(out, notes, written);
}

// The pooling of modules.json, as sentence-transformers calls it; empty if there is none.
Result<std::string> PoolingOf(std::vector<std::string>* notes, const FileSet& files) {
  constexpr std::pair<std::string_view, std::string_view> kFlags[] = {
      {"pooling_mode_mean_tokens", "mean"},
      {"pooling_mode_cls_token", "cls"},
      {"pooling_mode_lasttoken", "lasttoken"},
      {"pooling_mode_max_tokens", "max"},
      {"pooling_mode_mean_sqrt_len_tokens", "mean_sqrt_len_tokens"},
      {"pooling_mode_weightedmean_tokens", "weightedmean"}};
  const auto modules = files.find("modules.json");
  if (modules == files.end()) return "";
  auto list = ParseJson(modules->second.text());
  if (!list) return In("modules.json", std::move(list).error());
  for (const Json& module : *list) {
    const std::string type = FindString(module, "type").value_or("");
    if (!type.ends_with("Pooling")) {
      if (!type.ends_with("Transformer") && !type.ends_with("Normalize"))
        return Unsupported(Str("modules.json: \"", type, "\": GGUF has no such module"));
      continue;
    }
    const Json config =
        ReadSideFile(notes, files, FindString(module, "path").value_or("") + "/config.json");
    if (const auto mode = FindString(config, "pooling_mode")) return *mode;
    std::string found;
    for (const auto& [flag, mode] : kFlags) {
      if (FindBool(config, flag).value_or(false)) found += Str(found.empty() ? "" : "+", mode);
    }
    return found.empty() ? "mean" : found;
  }
  return "";
}

Status AddPooling(GgufMetadata* out, std::vector<std::string>* notes, const Checkpoint& checkpoint,
                  const GgufShape& shape) {
  if (shape.labels > 0) {
    notes->push_back("the scores of a reranker in GGUF are logits, without a sigmoid");
    return {};
  }
  DUNNOCK_TRY(const std::string pooling, PoolingOf(notes, checkpoint.files));
  if (pooling.empty()) return {};
  const Json transformer = ReadSideFile(notes, checkpoint.files, "sentence_bert_config.json");
  const auto most = FindInt(transformer, "max_seq_length");
  if (most && *most < int64_t{shape.context}) {
    notes->push_back(Str("sentence_bert_config.json: texts are cut to ", *most,
                         " tokens: GGUF has no key for it, and ", shape.context, " are read"));
  }
  const Json config = ReadSideFile(notes, checkpoint.files, "config_sentence_transformers.json");
  if (const Json* prompts = FindMember(config, "prompts"); prompts != nullptr && !prompts->empty())
    notes->push_back("config_sentence_transformers.json: GGUF has no key for its prompts");
  return WritePooling(out, pooling);
}

}  // namespace

Status WriteSideFiles(GgufMetadata* out, std::vector<std::string>* notes,
                      const Checkpoint& checkpoint, const GgufShape& shape,
                      const ExportOptions& options) {
  if (!shape.causal) DUNNOCK_TRY_STATUS(AddPooling(out, notes, checkpoint, shape));
  auto tokenizer = AddTokenizer(out, notes, checkpoint, shape, options);
  if (!tokenizer) return In("the tokenizer cannot be written", std::move(tokenizer).error());
  return {};
}

}  // namespace dunnock
