// Every container of the same tiny model opens to the same tensors and an equivalent config.

#include "checkpoint/checkpoint.h"

#include <gtest/gtest.h>

#include "base/str.h"
#include "checkpoint/test_files.h"

namespace dunnock {
namespace {

Result<Checkpoint> OpenFolder(const std::string& folder) {
  return OpenCheckpoint(
      LoadFolder(std::string(DUNNOCK_SOURCE_DIR "/tests/golden/models/") + folder));
}

// Config keys that a model is built from, where transformers 5 or older wrote them.
Json Essence(const Json& config) {
  Json out;
  for (const char* key :
       {"model_type", "hidden_size", "num_hidden_layers", "num_attention_heads",
        "num_key_value_heads", "intermediate_size", "max_position_embeddings", "vocab_size",
        "tie_word_embeddings", "hidden_act", "attention_bias", "mlp_bias"}) {
    out[key] = config.at(key);
  }
  out["rms_norm_eps"] = config.at("rms_norm_eps").get<double>();
  out["rope_theta"] = (config.contains("rope_parameters") ? config.at("rope_parameters") : config)
                          .at("rope_theta")
                          .get<double>();
  out["head_dim"] = FindInt(config, "head_dim")
                        .value_or(config.at("hidden_size").get<int64_t>() /
                                  config.at("num_attention_heads").get<int64_t>());
  return out;
}

void ExpectSame(const Checkpoint& a, const Checkpoint& b) {
  ASSERT_EQ(a.tensors.size(), b.tensors.size());
  for (const auto& [name, tensor] : a.tensors) {
    SCOPED_TRACE(name);
    const auto it = b.tensors.find(name);
    ASSERT_NE(it, b.tensors.end());
    EXPECT_EQ(tensor.dtype, it->second.dtype);
    EXPECT_EQ(tensor.shape, it->second.shape);
    EXPECT_EQ(AsText(tensor.bytes), AsText(it->second.bytes));
  }
}

class LlamaContainers
    : public testing::TestWithParam<std::pair<const char*, std::vector<const char*>>> {};

TEST_P(LlamaContainers, AllOpenToTheSame) {
  const auto& [model, others] = GetParam();
  const auto expected = OpenFolder(Str(model, "/safetensors"));
  ASSERT_TRUE(expected) << expected.error().message;
  ASSERT_GT(expected->tensors.size(), 10u);
  for (const char* other : others) {
    SCOPED_TRACE(other);
    const auto found = OpenFolder(Str(model, "/", other));
    ASSERT_TRUE(found) << found.error().message;
    ExpectSame(*expected, *found);
    EXPECT_EQ(Essence(expected->config), Essence(found->config));
  }
}

INSTANTIATE_TEST_SUITE_P(
    Tiny, LlamaContainers,
    testing::Values(std::pair("llama-gqa-tied",
                              std::vector<const char*>{"gguf", "safetensors-sharded", "pytorch",
                                                       "pytorch-legacy"}),
                    std::pair("llama-mha-untied", std::vector<const char*>{"gguf", "pytorch"}),
                    std::pair("llama-bias", std::vector<const char*>{"gguf", "pytorch"}),
                    std::pair("llama-odd", std::vector<const char*>{"gguf", "pytorch"}),
                    std::pair("llama-smol", std::vector<const char*>{"gguf", "pytorch"})));

class BertContainers : public testing::TestWithParam<const char*> {};

TEST_P(BertContainers, AllOpenToTheSame) {
  const auto safetensors = OpenFolder(Str(GetParam(), "/safetensors"));
  const auto pytorch = OpenFolder(Str(GetParam(), "/pytorch"));
  ASSERT_TRUE(safetensors) << safetensors.error().message;
  ASSERT_TRUE(pytorch) << pytorch.error().message;
  ASSERT_GT(safetensors->tensors.size(), 20u);
  ExpectSame(*safetensors, *pytorch);
}

INSTANTIATE_TEST_SUITE_P(Tiny, BertContainers, testing::Values("bert-tiny", "bert-odd"));

TEST(Shards, TensorsThatTheIndexDoesNotListAreNoted) {
  FileSet files =
      LoadFolder(DUNNOCK_SOURCE_DIR "/tests/golden/models/llama-gqa-tied/safetensors-sharded");
  auto index = ParseJson(files.at("model.safetensors.index.json").text());
  ASSERT_TRUE(index);
  ASSERT_EQ((*index)["weight_map"].erase("model.norm.weight"), 1u);
  files["model.safetensors.index.json"] = Blob::FromString(DumpJson(*index));
  const auto checkpoint = OpenCheckpoint(files);
  ASSERT_TRUE(checkpoint) << checkpoint.error().message;
  EXPECT_FALSE(checkpoint->tensors.contains("model.norm.weight"));
  ASSERT_EQ(checkpoint->notes.size(), 1u);
  EXPECT_NE(checkpoint->notes[0].find("model.norm.weight"), std::string::npos);
}

TEST(Folder, SafetensorsWinsAndWeightsAreNoFiles) {
  const Blob header = Blob::FromString(std::string("\x02\0\0\0\0\0\0\0{}", 10));
  const auto checkpoint = OpenCheckpoint({{"model.safetensors", header},
                                          {"pytorch_model.bin", Blob::FromString("broken")},
                                          {"model.gguf", Blob::FromString("broken")},
                                          {"onnx/model.onnx", Blob()},
                                          {"config.json", Blob::FromString("{\"a\":1}")},
                                          {"1_Pooling/config.json", Blob::FromString("{}")},
                                          {"tokenizer.json", Blob::FromString("{}")}});
  ASSERT_TRUE(checkpoint) << checkpoint.error().message;
  EXPECT_EQ(checkpoint->format, "safetensors");
  EXPECT_EQ(checkpoint->config, (Json{{"a", 1}}));
  std::vector<std::string> names;
  for (const auto& [name, blob] : checkpoint->files) names.push_back(name);
  EXPECT_EQ(names, (std::vector<std::string>{"1_Pooling/config.json", "tokenizer.json"}));
}

TEST(RealWeights, SmolLM2Gguf) {
  const auto path = RealModel("SmolLM2-135M-Instruct.Q4_1.gguf");
  if (!path && std::getenv("DUNNOCK_TEST_OFFLINE") != nullptr)
    GTEST_SKIP() << "$DUNNOCK_TEST_MODELS has no SmolLM2-135M-Instruct.Q4_1.gguf";
  ASSERT_TRUE(path)
      << "$DUNNOCK_TEST_MODELS has no SmolLM2-135M-Instruct.Q4_1.gguf: run `make test`";
  const auto checkpoint = OpenCheckpoint({{"model.gguf", LoadFile(*path)}});
  ASSERT_TRUE(checkpoint) << checkpoint.error().message;
  EXPECT_EQ(checkpoint->tensors.size(), 272u);
  EXPECT_EQ(checkpoint->notes, std::vector<std::string>{});
  std::map<DType, int> types;
  for (const auto& [name, tensor] : checkpoint->tensors) ++types[tensor.dtype];
  EXPECT_EQ(types,
            (std::map<DType, int>{{DType::kQ4_1, 210}, {DType::kF32, 61}, {DType::kQ8_0, 1}}));
  EXPECT_EQ(checkpoint->tensors.at("model.layers.29.self_attn.k_proj.weight").shape,
            (std::vector<uint64_t>{192, 576}));
  EXPECT_EQ(checkpoint->config["vocab_size"], 49152);
  EXPECT_EQ(checkpoint->config["rope_theta"], 100000.0);
  EXPECT_EQ(checkpoint->config["rms_norm_eps"], 1e-5);
  EXPECT_EQ(checkpoint->config["tie_word_embeddings"], true);
  EXPECT_EQ(checkpoint->config["max_position_embeddings"], 8192);
  const auto generation = ParseJson(checkpoint->files.at("generation_config.json").text());
  ASSERT_TRUE(generation) << generation.error().message;
  EXPECT_EQ((*generation)["eos_token_id"], Json::array({2}));

  const auto tokenizer = ParseJson(checkpoint->files.at("tokenizer.json").text());
  ASSERT_TRUE(tokenizer) << tokenizer.error().message;
  EXPECT_EQ((*tokenizer)["model"]["vocab"].size(), 49152u);
  EXPECT_EQ((*tokenizer)["model"]["merges"].size(), 48900u);
  EXPECT_EQ((*tokenizer)["added_tokens"].size(), 17u);
  EXPECT_EQ((*tokenizer)["pre_tokenizer"]["pretokenizers"][0]["type"], "Digits");
  const auto config = ParseJson(checkpoint->files.at("tokenizer_config.json").text());
  ASSERT_TRUE(config);
  EXPECT_EQ((*config)["eos_token"], "<|im_end|>");
  EXPECT_NE((*config)["chat_template"].get<std::string>().find("<|im_start|>"), std::string::npos);
}

}  // namespace
}  // namespace dunnock
