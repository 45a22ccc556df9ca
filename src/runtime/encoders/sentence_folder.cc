#include "runtime/encoders/sentence_folder.h"

#include <algorithm>

#include "base/str.h"

namespace dunnock {
namespace {

constexpr std::string_view kConfigNames[] = {
    "sentence_bert_config.json",       "sentence_roberta_config.json",
    "sentence_distilbert_config.json", "sentence_camembert_config.json",
    "sentence_albert_config.json",     "sentence_xlm-roberta_config.json",
    "sentence_xlnet_config.json"};

constexpr Setting kSentenceBert[] = {
    {"max_seq_length", Treatment::kDone},
    {"do_lower_case", Treatment::kDone},
    {"tokenizer_args", Treatment::kDone},
    {"processor_kwargs", Treatment::kDone},
    {"processing_kwargs", Treatment::kDone},
    {"transformer_task", Treatment::kDone},
    {"module_output_name", Treatment::kDone},
    {"modality_config", Treatment::kDone},
    {"unpad_inputs", Treatment::kHarmless},
    {"model_args", Treatment::kNoted, "[{}]", "the model is loaded as its config.json says"},
    {"model_kwargs", Treatment::kNoted, "[{}]", "the model is loaded as its config.json says"},
    {"query_length", Treatment::kNoted, "[]", "queries have the limit of other texts"},
    {"document_length", Treatment::kNoted, "[]", "passages have the limit of other texts"},
    {"config_args", Treatment::kRefused, "[{}]", "the settings in config.json itself"},
    {"config_kwargs", Treatment::kRefused, "[{}]", "the settings in config.json itself"},
    {"query_expansion", Treatment::kRefused, "[]", "none"},
    {"tokenizer_name_or_path", Treatment::kRefused, "[]", "the tokenizer in the folder itself"},
};

constexpr Setting kEmbedder[] = {
    {"prompts", Treatment::kDone},
    {"default_prompt_name", Treatment::kDone},
    {"truncate_dim", Treatment::kDone},
    {"model_type", Treatment::kRefused, R"(["SentenceTransformer"])", "\"SentenceTransformer\""},
    {"similarity_fn_name", Treatment::kDone},
    {"requirements", Treatment::kNoted, "[{}]", "the versions of Python libraries do not count"},
    {"__version__", Treatment::kHarmless},
};

constexpr Setting kReranker[] = {
    {"prompts", Treatment::kDone},
    {"default_prompt_name", Treatment::kDone},
    {"activation_fn", Treatment::kDone},
    {"model_type", Treatment::kDone},
    {"keep_in_fp32_modules", Treatment::kHarmless},
    {"requirements", Treatment::kNoted, "[{}]", "the versions of Python libraries do not count"},
    {"__version__", Treatment::kHarmless},
};

constexpr Setting kPooling[] = {
    {"pooling_mode", Treatment::kDone},
    {"pooling_mode_cls_token", Treatment::kDone},
    {"pooling_mode_max_tokens", Treatment::kDone},
    {"pooling_mode_mean_tokens", Treatment::kDone},
    {"pooling_mode_mean_sqrt_len_tokens", Treatment::kDone},
    {"pooling_mode_weightedmean_tokens", Treatment::kDone},
    {"pooling_mode_lasttoken", Treatment::kDone},
    {"include_prompt", Treatment::kDone},
    {"embedding_dimension", Treatment::kHarmless},
    {"word_embedding_dimension", Treatment::kHarmless},
};

constexpr Setting kNormalize[] = {
    {"module_input_name", Treatment::kRefused, R"(["sentence_embedding"])", "sentence_embedding"},
    {"module_output_name", Treatment::kRefused, R"(["sentence_embedding"])", "sentence_embedding"},
};

// A limit in tokens; absent, null: `none`.
Result<size_t> ReadLimit(const std::string& file, const Json& json, std::string_view key,
                         size_t none) {
  const Json* value = FindMember(json, key);
  if (value == nullptr) return none;
  // transformers writes "no limit" as 10^30, an integer for Python.
  if (!value->is_number() || *value < 1) {
    return Invalid(Str(file, ": \"", key, "\" is ", DumpJson(*value),
                       ": expected a number of tokens, at least 1"));
  }
  return *value > 1e9 ? SIZE_MAX : value->get<size_t>();
}

// `object`, the member `key` of the file, may have the members `expected` and `ignored` only.
Status CheckMembers(const std::string& file, std::string_view key, const Json& object,
                    std::string_view expected, std::string_view ignored = "") {
  for (const auto& [name, value] : object.items()) {
    if (name == expected || (!ignored.empty() && name == ignored)) continue;
    return Unsupported(Str(file, ": \"", key, "\" has \"", name, "\": ", DumpJson(value),
                           ", which is not supported: expected \"", expected, "\" only"));
  }
  return {};
}

// `limit` from an object of settings for the tokenizer; of them only its limit is known here.
Status ReadLimitIn(const std::string& file, const Json& json, std::string_view key,
                   std::string_view limit_key, size_t* limit) {
  const Json* arguments = FindMember(json, key);
  if (arguments == nullptr) return {};
  if (!arguments->is_object()) return Invalid(Str(file, ": \"", key, "\": expected an object"));
  DUNNOCK_TRY_STATUS(CheckMembers(file, key, *arguments, limit_key, "trust_remote_code"));
  DUNNOCK_TRY(*limit, ReadLimit(file, *arguments, limit_key, *limit));
  return {};
}

// The later ones win: how the tokenizer is made, and how it is called.
Status ReadTokenizerArguments(const std::string& file, const Json& json, size_t* limit) {
  DUNNOCK_TRY_STATUS(ReadLimitIn(file, json, "tokenizer_args", "model_max_length", limit));
  DUNNOCK_TRY_STATUS(ReadLimitIn(file, json, "processor_kwargs", "model_max_length", limit));
  const Json* called = FindMember(json, "processing_kwargs");
  if (called == nullptr) return {};
  DUNNOCK_TRY_STATUS(CheckMembers(file, "processing_kwargs", *called, "text"));
  return ReadLimitIn(file, *called, "text", "max_length", limit);
}

Status CheckOutput(const std::string& file, const Json& json, std::string_view output) {
  const bool scores = output == "scores";
  const std::string_view task = scores ? "sequence-classification" : "feature-extraction";
  const Json modality = {
      {"text",
       {{"method", "forward"}, {"method_output_name", scores ? "logits" : "last_hidden_state"}}}};
  const auto check = [&](std::string_view key, const Json& expected) -> Status {
    const Json* found = FindMember(json, key);
    if (found == nullptr || *found == expected) return {};
    return Unsupported(Str(file, ": \"", key, "\" is ", DumpJson(*found),
                           ", which is not supported: expected ", DumpJson(expected)));
  };
  DUNNOCK_TRY_STATUS(check("transformer_task", task));
  DUNNOCK_TRY_STATUS(check("modality_config", modality));
  return check("module_output_name", output);
}

}  // namespace

std::span<const Setting> SentenceBertSettings() { return kSentenceBert; }
std::span<const Setting> EmbedderSettings() { return kEmbedder; }
std::span<const Setting> RerankerSettings() { return kReranker; }
std::span<const Setting> PoolingSettings() { return kPooling; }
std::span<const Setting> NormalizeSettings() { return kNormalize; }

Result<std::vector<SentenceModule>> ReadSentenceModules(const Engine& engine,
                                                        std::span<const std::string_view> others) {
  std::vector<SentenceModule> out;
  if (!engine.files().contains("modules.json")) return out;
  DUNNOCK_TRY(const Json modules, engine.ReadConfigFile("modules.json"));
  if (!modules.is_array() || modules.empty())
    return Invalid("modules.json: expected a list of modules, the first of type Transformer");
  for (const Json& module : modules) {
    const std::string type = FindString(module, "type").value_or("");
    const auto path = FindString(module, "path");
    if (!path) return Invalid(Str("modules.json: module ", out.size(), ": \"path\" is missing"));
    // Old and new packages of the library differ ("models", "base.modules.transformer"): the class
    // is what counts.
    SentenceModule m{type.substr(type.rfind('.') + 1), *path == "." ? "" : *path};
    const bool known =
        type.starts_with("sentence_transformers.") &&
        (out.empty() ? m.name == "Transformer" : std::ranges::count(others, m.name) > 0);
    if (!known) {
      std::string expected = out.empty() ? "sentence_transformers' Transformer" : "";
      for (size_t i = 0; !out.empty() && i < others.size(); ++i)
        expected += Str(i == 0 ? "" : " or ", others[i]);
      if (expected.empty()) expected = "no further module";
      return Unsupported(Str("modules.json: module ", out.size(), " is \"", type,
                             "\", which is not supported: expected ", expected));
    }
    if (out.empty() && !m.path.empty()) {
      return Unsupported(Str("modules.json: the Transformer's path is \"", m.path,
                             "\": expected \"\", the folder itself, where config.json is"));
    }
    out.push_back(std::move(m));
  }
  return out;
}

// What a limit leaves no room for is not cut by the reference's tokenizer, whose subtraction wraps.
Status CheckRoom(const Engine& engine, size_t limit, bool pair) {
  if (!engine.has_tokenizer()) return {};
  DUNNOCK_TRY(const Tokenizer* tokenizer, engine.tokenizer());
  const size_t special =
      (pair ? tokenizer->EncodePair("", "", 0) : tokenizer->EncodeTruncated("", limit)).ids.size();
  if (special <= limit) return {};
  return Invalid(Str("the limit of tokens is ", limit,
                     " (max_seq_length in sentence_bert_config.json, or else ",
                     "model_max_length in tokenizer_config.json): the ", special,
                     " special tokens alone are more"));
}

Result<SentenceTransformer> ReadSentenceTransformer(std::vector<std::string>* notes,
                                                    const Engine& engine, bool modules,
                                                    std::string_view output) {
  const size_t positions = engine.model().info().context_length;
  SentenceTransformer out;
  DUNNOCK_TRY(const Json tokenizer, engine.ReadConfigFile("tokenizer_config.json"));
  // "max_len" is the older name.
  const std::string_view key =
      FindMember(tokenizer, "model_max_length") != nullptr ? "model_max_length" : "max_len";
  size_t limit = 0;  // 0: the file says nothing
  if (modules) {
    for (const std::string_view name : kConfigNames) {
      const std::string file(name);
      DUNNOCK_TRY(const Json json, engine.ReadConfigFile(file));
      if (json.empty()) continue;
      DUNNOCK_TRY_STATUS(CheckSettings(notes, file, json, kSentenceBert));
      DUNNOCK_TRY_STATUS(CheckOutput(file, json, output));
      DUNNOCK_TRY(limit, ReadLimit(file, json, "max_seq_length", 0));
      DUNNOCK_TRY_STATUS(ReadTokenizerArguments(file, json, &limit));
      out.lowercase = FindBool(json, "do_lower_case").value_or(false);
      break;
    }
  }
  // The limit of this file is taken in place of the tokenizer's, not beside it.
  if (limit == 0) {
    DUNNOCK_TRY(limit, ReadLimit("tokenizer_config.json", tokenizer, key, positions));
  }
  out.max_tokens = std::min(limit, positions);
  DUNNOCK_TRY_STATUS(CheckRoom(engine, out.max_tokens, output == "scores"));
  return out;
}

Result<SentencePrompts> ReadSentencePrompts(const Json& config) {
  constexpr std::string_view kFile = "config_sentence_transformers.json";
  SentencePrompts out;
  if (const Json* prompts = FindMember(config, "prompts")) {
    if (!prompts->is_object()) return Invalid(Str(kFile, ": \"prompts\": expected an object"));
    for (const auto& [name, text] : prompts->items()) {
      if (!text.is_string() && !text.is_null()) {
        return Invalid(
            Str(kFile, ": prompt \"", name, "\" is ", DumpJson(text), ": expected a text"));
      }
      out.by_name[name] = text.is_string() ? text.get<std::string>() : "";
    }
  }
  const Json* name = FindMember(config, "default_prompt_name");
  if (name == nullptr) return out;
  if (name->is_string()) out.default_name = name->get<std::string>();
  // The library has prompts of these two names, empty ones, whatever the file says.
  const bool known = out.by_name.contains(out.default_name) || out.default_name == "query" ||
                     out.default_name == "document";
  if (known) return out;
  return Invalid(Str(kFile, ": \"default_prompt_name\" is ", DumpJson(*name),
                     ": expected the name of one of \"prompts\""));
}

}  // namespace dunnock
