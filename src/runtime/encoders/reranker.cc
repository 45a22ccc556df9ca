#include "runtime/encoders/reranker.h"

#include <algorithm>
#include <cmath>

#include "base/str.h"
#include "tokenizer/files/tokenizer_config.h"

namespace dunnock {
namespace {

constexpr char kSentenceConfig[] = "config_sentence_transformers.json";

// Not an optional bool: with g++ 14.2, value_or(true) of an empty one was neither true nor false
// here.
enum class Activation { kNone, kSigmoid, kIdentity };

// The activation is written as the name of a torch class; a class from any other package would be
// code to run and is ignored, as in the library.
Result<Activation> ReadActivation(std::vector<std::string>* notes, const std::string& file,
                                  const Json& object, std::string_view key) {
  const Json* value = FindMember(object, key);
  if (value == nullptr) return Activation::kNone;
  const std::string name = value->is_string() ? value->get<std::string>() : "";
  if (name.starts_with("torch.")) {
    if (name.ends_with(".Sigmoid")) return Activation::kSigmoid;
    if (name.ends_with(".Identity")) return Activation::kIdentity;
  } else if (!name.empty()) {
    notes->push_back(
        Str(file, ": \"", key, "\" is \"", name,
            "\", which is not one of torch's and does not count: scores are sigmoids"));
    return Activation::kNone;
  }
  return Unsupported(Str(file, ": \"", key, "\" is ", DumpJson(*value),
                         ", which is not supported: expected torch's Sigmoid or Identity"));
}

// The activation in config.json, under the newer key or else the older one.
Result<Activation> ReadModelActivation(std::vector<std::string>* notes, const Json& config) {
  const Json* st = FindMember(config, "sentence_transformers");
  if (st != nullptr && st->contains("activation_fn"))
    return ReadActivation(notes, "config.json: sentence_transformers", *st, "activation_fn");
  return ReadActivation(notes, "config.json", config, "sbert_ce_default_activation_function");
}

// Whether transformers' class of this tokenizer gives type ids: BertTokenizer does, and any class
// whose config lists them in model_input_names.
Result<bool> HasTypeIds(const Engine& engine) {
  const Json config = ReadSideFile(nullptr, engine.files(), "tokenizer_config.json");
  if (const Json* names = FindMember(config, "model_input_names")) {
    if (!names->is_array()) {
      return Invalid(Str("tokenizer_config.json: \"model_input_names\" is ", DumpJson(*names),
                         ": expected a list of names"));
    }
    return std::ranges::count(*names, Json("token_type_ids")) > 0;
  }
  const std::string name = FindString(config, "tokenizer_class").value_or("BertTokenizer");
  return name.starts_with("BertTokenizer");
}

}  // namespace

Status Reranker::ReadFolder() {
  DUNNOCK_TRY(const std::vector<SentenceModule> modules, ReadSentenceModules(*engine_, {}));
  Json config = Json::object();
  if (!modules.empty()) {
    DUNNOCK_TRY(config, engine_->ReadConfigFile(kSentenceConfig));
    // Settings are ignored unless the file says that the folder holds a cross-encoder.
    if (FindString(config, "model_type") != "CrossEncoder") {
      if (!config.empty()) {
        notes_.push_back(Str(kSentenceConfig,
                             ": \"model_type\" is not \"CrossEncoder\": what it "
                             "says does not count for a reranker"));
      }
      config = Json::object();
    }
  }
  DUNNOCK_TRY(transformer_, ReadSentenceTransformer(&notes_, *engine_, !config.empty(), "scores"));
  DUNNOCK_TRY_STATUS(CheckSettings(&notes_, kSentenceConfig, config, RerankerSettings()));
  DUNNOCK_TRY(SentencePrompts prompts, ReadSentencePrompts(config));
  prompt_ = prompts.by_name[prompts.default_name];
  DUNNOCK_TRY(Activation activation,
              ReadActivation(&notes_, kSentenceConfig, config, "activation_fn"));
  if (activation == Activation::kNone) {
    DUNNOCK_TRY(activation, ReadModelActivation(&notes_, engine_->config()));
  }
  sigmoid_ = activation != Activation::kIdentity;
  DUNNOCK_TRY(type_ids_, HasTypeIds(*engine_));
  return {};
}

Result<Reranker> Reranker::Create(const Engine& engine) {
  const ModelInfo& info = engine.model().info();
  if (info.labels != 1) {
    return Unsupported(
        info.labels == 0
            ? Str("a model of type \"", info.model_type,
                  "\" without a classifier does not rerank: use a cross-encoder, such as "
                  "ms-marco-minilm-l6-v2")
            : Str("the classifier has ", info.labels, " labels: a reranker has 1"));
  }
  Reranker reranker(engine);
  DUNNOCK_TRY_STATUS(reranker.ReadFolder());
  if (reranker.transformer_.lowercase && engine.has_tokenizer()) {
    DUNNOCK_TRY(const Tokenizer* tokenizer, engine.tokenizer());
    reranker.lowercasing_ = tokenizer->Lowercasing();
  }
  return reranker;
}

Result<std::vector<RerankScore>> Reranker::Score(std::span<const TextPair> pairs, bool cut) {
  DUNNOCK_TRY(const Tokenizer* tokenizer, engine_->tokenizer());
  if (lowercasing_) tokenizer = &*lowercasing_;
  std::vector<EncoderInput> inputs;
  std::vector<size_t> left_out;
  inputs.reserve(pairs.size());
  for (const TextPair& pair : pairs) {
    Encoding encoding = tokenizer->EncodePair(prompt_ + pair.query, pair.passage, max_tokens());
    if (encoding.cut > 0 && !cut) {
      return Fail(
          ErrorCode::kLimit,
          Str("pair ", inputs.size() + 1, " of ", pairs.size(), " has ",
              encoding.ids.size() + encoding.cut, " tokens, the model takes ", max_tokens()),
          Remedy::kCutTexts);
    }
    left_out.push_back(encoding.cut);
    if (!type_ids_) encoding.type_ids.clear();
    inputs.push_back({std::move(encoding.ids), std::move(encoding.type_ids)});
  }
  DUNNOCK_TRY(std::vector<RerankScore> out, ScoreIds(inputs));
  for (size_t i = 0; i < out.size(); ++i) out[i].cut_tokens = left_out[i];
  return out;
}

Result<std::vector<RerankScore>> Reranker::ScoreIds(std::span<const EncoderInput> inputs) {
  DUNNOCK_TRY_STATUS(encoder_.Check(inputs));
  const size_t hidden_size = engine_->model().info().hidden_size;
  std::vector<RerankScore> out(inputs.size());
  DUNNOCK_TRY_STATUS(encoder_.Run(inputs, [&](const EncodedBatch& batch) {
    const std::span<const Sequence> texts = batch.texts;
    std::vector<float> first, logits(texts.size());
    for (const Sequence& text : texts) {
      const float* row = batch.hidden[text.first_row];
      first.insert(first.end(), row, row + hidden_size);
    }
    engine_->model().Classify({logits.data(), texts.size(), 1},
                              {first.data(), texts.size(), hidden_size}, batch.scratch);
    for (size_t i = 0; i < texts.size(); ++i) {
      const double logit = logits[i];
      const double score = sigmoid_ ? 1.0 / (1.0 + std::exp(-logit)) : logit;
      out[batch.first + i] = {logits[i], static_cast<float>(score), texts[i].count, 0};
    }
  }));
  for (size_t i = 0; i < out.size(); ++i) {
    if (std::isfinite(out[i].logit)) continue;
    return Invalid(Str("pair ", i + 1,
                       ": its score is not finite: the model's weights hold numbers "
                       "that are not, or that are too large"));
  }
  return out;
}

}  // namespace dunnock
