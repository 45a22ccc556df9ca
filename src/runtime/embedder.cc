#include "runtime/embedder.h"

#include <algorithm>

#include "base/str.h"
#include "kernels/norm.h"

namespace dunnock {
Result<EmbedderConfig> ReadEmbedderConfig(const Engine& engine) {
  const size_t positions = engine.model().info().context_length;
  EmbedderConfig config;
  config.max_tokens = positions;
  DUNNOCK_TRY(const Json bert, engine.ReadConfigFile("sentence_bert_config.json"));
  if (const auto most = FindInt(bert, "max_seq_length"); most && *most > 0) {
    config.max_tokens = std::min(positions, static_cast<size_t>(*most));
  }
  DUNNOCK_TRY(const Json pooling, engine.ReadConfigFile("1_Pooling/config.json"));
  bool mean = FindBool(pooling, "pooling_mode_mean_tokens").value_or(false);
  const bool cls = FindBool(pooling, "pooling_mode_cls_token").value_or(false);
  for (const char* other : {"pooling_mode_max_tokens", "pooling_mode_mean_sqrt_len_tokens",
                            "pooling_mode_weightedmean_tokens", "pooling_mode_lasttoken"}) {
    if (FindBool(pooling, other).value_or(false)) {
      return Unsupported(Str("1_Pooling/config.json: ", other, ": expected mean or cls pooling"));
    }
  }
  if (const auto mode = FindString(pooling, "pooling_mode")) mean = *mode == "mean";
  if (cls && mean)
    return Unsupported(
        "1_Pooling/config.json: mean and cls pooling together: expected one of them");
  config.pooling =
      cls || FindString(pooling, "pooling_mode") == "cls" ? Pooling::kCls : Pooling::kMean;

  // modules.json lists what follows the encoder; without it the model is a plain one, and unit
  // length is what search wants.
  DUNNOCK_TRY(const Json modules, engine.ReadConfigFile("modules.json"));
  if (modules.is_array()) {
    config.normalize = false;
    for (const Json& module : modules) {
      const std::string type = FindString(module, "type").value_or("");
      const std::string name = type.substr(type.rfind('.') + 1);
      if (name == "Normalize") {
        config.normalize = true;
      } else if (name != "Transformer" && name != "Pooling") {
        return Unsupported(
            Str("modules.json: module \"", type, "\": expected Transformer, Pooling or Normalize"));
      }
    }
  }
  DUNNOCK_TRY(const Json st, engine.ReadConfigFile("config_sentence_transformers.json"));
  if (const Json* prompts = FindMember(st, "prompts"); prompts != nullptr && prompts->is_object()) {
    for (const auto& [name, text] : prompts->items()) {
      if (text.is_string()) config.prompts[name] = text.get<std::string>();
    }
  }
  config.default_prompt = FindString(st, "default_prompt_name").value_or("");
  return config;
}

Result<Embedder> Embedder::Create(const Engine& engine) {
  const ModelInfo& info = engine.model().info();
  if (info.causal) {
    return Unsupported(Str("a model of type \"", info.model_type,
                           "\" does not embed: use `dunnock run`, or an encoder"));
  }
  Embedder embedder(engine);
  DUNNOCK_TRY(embedder.config_, ReadEmbedderConfig(engine));
  return embedder;
}

Result<std::vector<Embedding>> Embedder::Embed(std::span<const std::string> texts,
                                               const EmbedOptions& options) {
  DUNNOCK_TRY(const Tokenizer* tokenizer, engine_->tokenizer());
  std::string prompt;
  const std::string& name =
      options.prompt_name.empty() ? config_.default_prompt : options.prompt_name;
  if (!name.empty()) {
    const auto it = config_.prompts.find(name);
    if (it != config_.prompts.end()) {
      prompt = it->second;
    } else if (config_.prompts.empty() && (name == "query" || name == "passage")) {
      prompt = name + ": ";  // what encoders of the E5 kind expect, whose folders do not say so
    } else {
      std::string known;
      for (const auto& [key, value] : config_.prompts) known += Str(known.empty() ? "" : ", ", key);
      return Invalid(Str("prompt name \"", name, "\": this model knows ",
                         known.empty() ? "query and passage only" : known));
    }
  }
  std::vector<std::vector<int32_t>> ids(texts.size());
  std::vector<bool> cut(texts.size());
  for (size_t i = 0; i < texts.size(); ++i) {
    // sentence-transformers strips white space at both ends.
    constexpr std::string_view kSpace = " \t\n\r\v\f";
    std::string text = prompt + texts[i];
    text.erase(0, std::min(text.find_first_not_of(kSpace), text.size()));
    text.erase(text.find_last_not_of(kSpace) + 1);
    bool truncated = false;
    ids[i] = tokenizer->EncodeTruncated(text, config_.max_tokens, &truncated).ids;
    if (truncated && !options.truncate) {
      const size_t full = tokenizer->Encode(text).size();
      return Fail(ErrorCode::kLimit, Str("text ", i + 1, " of ", texts.size(), " has ", full,
                                         " tokens, the model takes ", config_.max_tokens,
                                         ": shorten it, or cut it with --truncate"));
    }
    cut[i] = truncated;
  }
  DUNNOCK_TRY(std::vector<Embedding> out, EmbedIds(ids, options.normalize));
  for (size_t i = 0; i < out.size(); ++i) out[i].truncated = cut[i];
  return out;
}

Result<std::vector<Embedding>> Embedder::EmbedIds(std::span<const std::vector<int32_t>> texts,
                                                  bool normalize) {
  std::vector<EncoderInput> inputs;
  inputs.reserve(texts.size());
  for (const std::vector<int32_t>& ids : texts) inputs.push_back({ids, {}});
  DUNNOCK_TRY_STATUS(encoder_.Check(inputs));
  std::vector<Embedding> out(texts.size());
  DUNNOCK_TRY_STATUS(encoder_.Run(inputs, [&](const EncodedBatch& batch) {
    const ConstRows hidden = batch.hidden;
    for (size_t i = 0; i < batch.texts.size(); ++i) {
      const Sequence& text = batch.texts[i];
      std::vector<float>& vector = out[batch.first + i].values;
      vector.assign(hidden[text.first_row], hidden[text.first_row] + hidden.cols);
      if (config_.pooling == Pooling::kMean) {
        for (size_t t = 1; t < text.count; ++t) {
          for (size_t d = 0; d < vector.size(); ++d) vector[d] += hidden[text.first_row + t][d];
        }
        for (float& v : vector) v /= static_cast<float>(text.count);
      }
      if (normalize && config_.normalize) L2Normalize({vector.data(), 1, vector.size()});
      out[batch.first + i].tokens = text.count;
    }
  }));
  return out;
}

}  // namespace dunnock
