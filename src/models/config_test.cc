#include "models/config.h"

#include <gtest/gtest.h>

#include "models/model.h"

namespace dunnock {
namespace {

constexpr const char* kLlama = R"({"model_type": "llama", "hidden_size": 72, "vocab_size": 50,
    "intermediate_size": 96, "num_hidden_layers": 2, "num_attention_heads": 6})";
constexpr const char* kSmolLm3 = R"({"model_type": "smollm3", "hidden_size": 96, "vocab_size": 50,
    "intermediate_size": 96, "num_hidden_layers": 5, "num_attention_heads": 8})";
constexpr const char* kBert = R"({"model_type": "bert", "hidden_size": 72, "vocab_size": 50,
    "intermediate_size": 96, "num_hidden_layers": 2, "num_attention_heads": 6})";
constexpr const char* kOpenElm = R"({"model_type": "openelm", "model_dim": 64, "head_dim": 16,
    "vocab_size": 50, "num_transformer_layers": 2, "num_gqa_groups": 2, "ffn_dim_divisor": 16,
    "qkv_multipliers": [0.5, 1.0], "ffn_multipliers": [0.5, 2.0]})";

// What is said about a base config with some keys changed; empty: it makes a model.
std::string Said(const char* base, const char* changed, std::vector<std::string>* notes) {
  Json config = *ParseJson(base);
  config.update(*ParseJson(changed));
  const auto model = MakeModel(config, notes);
  return model ? "" : model.error().message;
}

struct Case {
  const char *base, *changed;
  std::vector<std::string> pieces;  // of the message: key and value
};

TEST(Config, NumbersOutOfRangeAreNamedBeforeAnythingIsMade) {
  const std::vector<Case> cases = {
      {kLlama, R"({"num_attention_heads": 720})", {"hidden_size 72", "num_attention_heads 720"}},
      {kLlama, R"({"num_attention_heads": 5})", {"hidden_size 72", "num_attention_heads 5"}},
      {kLlama, R"({"num_attention_heads": 0})", {"num_attention_heads", "0"}},
      {kLlama, R"({"num_attention_heads": -1})", {"num_attention_heads", "-1"}},
      {kLlama, R"({"num_attention_heads": "6"})", {"num_attention_heads"}},
      {kLlama, R"({"num_key_value_heads": 4})", {"num_attention_heads 6", "num_key_value_heads 4"}},
      {kLlama, R"({"num_key_value_heads": 12})", {"num_key_value_heads 12"}},
      {kLlama, R"({"head_dim": 7})", {"head_dim 7", "even"}},
      {kLlama, R"({"head_dim": 2048})", {"head_dim 2048", "1024"}},
      {kLlama,
       R"({"num_attention_heads": 4194305, "num_key_value_heads": 4194305,
                   "head_dim": 1024})",
       {"num_attention_heads 4194305", "head_dim 1024"}},
      {kLlama, R"({"num_hidden_layers": 16777216})", {"num_hidden_layers", "16777216", "4096"}},
      {kLlama, R"({"hidden_size": 4294967296})", {"hidden_size", "4294967296"}},
      {kLlama, R"({"vocab_size": 1e300})", {"vocab_size"}},
      {kLlama, R"({"max_position_embeddings": 16777216})", {"max_position_embeddings", "16777216"}},
      {kLlama, R"({"rms_norm_eps": -1e-6})", {"rms_norm_eps", "-1e-06"}},
      {kLlama, R"({"rms_norm_eps": "small"})", {"rms_norm_eps", "small"}},
      {kLlama, R"({"rope_theta": 0})", {"rope_theta", "0"}},
      {kLlama, R"({"rope_theta": -10000})", {"rope_theta", "-10000"}},
      {kLlama, R"({"rope_theta": 1e300})", {"rope_theta", "1e+300"}},
      {kLlama, R"({"rope_parameters": {"rope_theta": 0}})", {"rope_theta", "0"}},
      {kLlama, R"({"rope_parameters": 5})", {"rope_parameters", "5"}},
      {kLlama,
       R"({"rope_parameters": {"full_attention": {"rope_theta": 10}}})",
       {"rope_parameters", "full_attention"}},
      {kLlama, R"({"rope_scaling": {"type": "linear", "factor": 2}})", {"rope_scaling", "linear"}},
      {kLlama, R"({"attention_bias": "yes"})", {"attention_bias", "yes"}},
      {kLlama, R"({"hidden_act": "relu"})", {"hidden_act", "relu"}},
      {kLlama, R"({"hidden_act": 3})", {"hidden_act", "3"}},
      {kLlama, R"({"is_causal": false})", {"is_causal", "false"}},
      {kLlama, R"({"per_layer_config": {"0": {"head_dim": 4}}})", {"per_layer_config"}},
      {kLlama, R"({"quantization_config": {"quant_method": "gptq", "bits": 4}})", {"gptq"}},
      {kLlama, R"({"quantization_config": {"load_in_4bit": true}})", {"bitsandbytes"}},
      {kLlama, R"({"quantization": {"group_size": 64, "bits": 4}})", {"MLX"}},
      {kSmolLm3, R"({"no_rope_layers": [1, 1, 1, 0]})", {"no_rope_layers", "at least 5"}},
      {kSmolLm3, R"({"no_rope_layers": [1, 1, 1, 0, 0.5]})", {"no_rope_layers", "integers"}},
      {kSmolLm3, R"({"no_rope_layers": 4})", {"no_rope_layers", "4"}},
      {kSmolLm3, R"({"no_rope_layer_interval": 0})", {"no_rope_layer_interval", "0"}},
      {kSmolLm3, R"({"use_sliding_window": true})", {"use_sliding_window", "true"}},
      {kSmolLm3, R"({"layer_types": ["full_attention"]})", {"layer_types", "each of 5 layers"}},
      {kSmolLm3,
       R"({"layer_types": ["full_attention", "full_attention", "full_attention",
                           "sliding_attention", "full_attention"]})",
       {"layer_types", "sliding_attention", "layer 3"}},
      {kSmolLm3, R"({"num_attention_heads": 6})", {"num_key_value_heads 4"}},
      {kSmolLm3, R"({"rope_scaling": {"rope_type": "yarn", "factor": 2}})", {"yarn"}},
      {kBert, R"({"num_attention_heads": 5})", {"hidden_size 72", "num_attention_heads 5"}},
      {kBert, R"({"num_attention_heads": 720})", {"num_attention_heads 720"}},
      {kBert, R"({"hidden_size": 2050, "num_attention_heads": 1})", {"2050", "1024"}},
      {kBert, R"({"layer_norm_eps": 2})", {"layer_norm_eps", "2"}},
      {kBert, R"({"hidden_act": "gelu_new"})", {"hidden_act", "gelu_new"}},
      {kBert, R"({"is_decoder": true})", {"is_decoder", "true"}},
      {kBert, R"({"position_embedding_type": "relative_key"})", {"relative_key"}},
      {kBert,
       R"({"architectures": ["BertForSequenceClassification"], "id2label": 3})",
       {"id2label"}},
      {kOpenElm, R"({"head_dim": 15})", {"head_dim 15", "even"}},
      {kOpenElm, R"({"num_transformer_layers": 1000000})", {"num_transformer_layers", "1000000"}},
      {kOpenElm, R"({"qkv_multipliers": [0.5, -1]})", {"qkv_multipliers"}},
      {kOpenElm, R"({"ffn_multipliers": [65000], "model_dim": 16777216})", {"wide", "16777216"}},
      {kOpenElm, R"({"rope_freq_constant": 0})", {"rope_freq_constant", "0"}},
      {kOpenElm, R"({"normalization_layer_name": "layer_norm"})", {"layer_norm"}},
      {kOpenElm, R"({"ffn_with_glu": false})", {"ffn_with_glu"}},
      {kOpenElm, R"({"num_gqa_groups": 16777216})", {"wide"}},
  };
  for (const Case& c : cases) {
    std::vector<std::string> notes;
    const std::string said = Said(c.base, c.changed, &notes);
    EXPECT_NE(said, "") << c.changed;
    for (const std::string& piece : c.pieces)
      EXPECT_NE(said.find(piece), std::string::npos) << c.changed << "\n" << said;
  }
}

TEST(Config, WhatChangesNothingIsTaken) {
  for (const char* changed :
       {"{}", R"({"rope_parameters": null, "rope_scaling": null})", R"({"rope_scaling": {}})",
        R"({"quantization_config": null, "torch_dtype": "float16"})", R"({"rms_norm_eps": 0})",
        R"({"rope_parameters": {"rope_type": "default", "rope_theta": 500000.0}})",
        R"({"head_dim": 20, "num_key_value_heads": 3})"}) {
    std::vector<std::string> notes;
    EXPECT_EQ(Said(kLlama, changed, &notes), "") << changed;
    EXPECT_TRUE(notes.empty());
  }
}

// The order of transformers 5: rope_scaling, rope_parameters, the top; within them rope_theta.
TEST(Config, RopeThetaIsFoundAsTheReferenceFindsIt) {
  const auto theta = [](const char* json) {
    return *ConfigRopeTheta(*ParseJson(json), "rope_theta", 10000.0);
  };
  EXPECT_EQ(theta("{}"), 10000.0);
  EXPECT_EQ(theta(R"({"rope_theta": 7})"), 7.0);
  EXPECT_EQ(theta(R"({"rope_theta": 7, "rope_parameters": {"rope_theta": 9}})"), 9.0);
  EXPECT_EQ(theta(R"({"rope_theta": 7, "rope_parameters": {"rope_type": "default"}})"), 7.0);
  EXPECT_EQ(theta(R"({"rope_scaling": {"rope_theta": 8}, "rope_parameters": {"rope_theta": 9}})"),
            8.0);
  EXPECT_EQ(theta(R"({"rope_scaling": {"type": "default"}, "rope_theta": 7,
                      "rope_parameters": {"rope_theta": 9}})"),
            7.0);
}

TEST(Config, LayersThatRotate) {
  const auto rotated = [](const char* json) { return *ConfigRotatedLayers(*ParseJson(json), 5); };
  using Flags = std::vector<bool>;
  EXPECT_EQ(rotated("{}"), (Flags{true, true, true, false, true}));
  EXPECT_EQ(rotated(R"({"no_rope_layers": null, "no_rope_layer_interval": 2})"),
            (Flags{true, false, true, false, true}));
  EXPECT_EQ(rotated(R"({"no_rope_layers": [0, 1, 0, 2, 1, 0], "no_rope_layer_interval": 0})"),
            (Flags{false, true, false, true, true}));
}

TEST(Config, WhatAVariantAssumes) {
  const auto info = [](const char* base, const char* changed) {
    Json config = *ParseJson(base);
    config.update(*ParseJson(changed));
    std::vector<std::string> notes;
    return MakeModel(config, &notes).value()->info();
  };
  EXPECT_EQ(info(kLlama, "{}").kv.kv_heads[0], 6u);
  EXPECT_EQ(info(kLlama, "{}").context_length, 2048u);
  EXPECT_EQ(info(kSmolLm3, "{}").model_type, "smollm3");
  EXPECT_EQ(info(kSmolLm3, "{}").kv.kv_heads[0], 4u);
  EXPECT_EQ(info(kSmolLm3, R"({"num_key_value_heads": null})").kv.kv_heads[0], 8u);
  EXPECT_EQ(info(kSmolLm3, "{}").context_length, 32768u);
  // What means nothing to a Llama is not looked at there, and the window not without its flag.
  EXPECT_EQ(info(kLlama, R"({"no_rope_layers": 4, "layer_types": 4})").layers, 2u);
  EXPECT_EQ(info(kSmolLm3, R"({"sliding_window": 16, "use_sliding_window": false})").layers, 5u);
}

TEST(Config, LabelsOfAClassifier) {
  const auto labels = [](const char* changed) {
    Json config = *ParseJson(kBert);
    config["architectures"] = {"BertForSequenceClassification"};
    config.update(*ParseJson(changed));
    std::vector<std::string> notes;
    return MakeModel(config, &notes).value()->info().labels;
  };
  EXPECT_EQ(labels("{}"), 2u);  // what transformers does not write down
  EXPECT_EQ(labels(R"({"num_labels": 3})"), 3u);
  EXPECT_EQ(labels(R"({"id2label": {"0": "LABEL_0"}})"), 1u);
  EXPECT_EQ(labels(R"({"id2label": {"0": "a"}, "num_labels": 3})"), 1u);
}

}  // namespace
}  // namespace dunnock
