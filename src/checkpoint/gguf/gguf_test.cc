// GGUF in Hugging Face's dialect: names, put back rows of quantized q and k, tokenizers. Plain
// float32 models are in checkpoint_test.cc.

#include "checkpoint/gguf/gguf.h"

#include <gtest/gtest.h>

#include "checkpoint/safetensors.h"
#include "checkpoint/test_files.h"

namespace dunnock {
namespace {

const std::string kFolder = DUNNOCK_SOURCE_DIR "/tests/golden/checkpoint/gguf/";

Json FileJson(const Checkpoint& checkpoint, const std::string& name) {
  const auto file = checkpoint.files.find(name);
  if (file == checkpoint.files.end()) return nullptr;
  return ParseJson(file->second.text()).value_or(nullptr);
}

TEST(Gguf, QuantizedRowsArePutBack) {
  const auto found = OpenCheckpoint({{"a.gguf", LoadFile(kFolder + "llama/model.gguf")}});
  ASSERT_TRUE(found) << found.error().message;
  const Blob file = LoadFile(kFolder + "llama/expected.safetensors");
  const auto expected = ReadSafetensors("expected.safetensors", file);
  ASSERT_TRUE(expected) << expected.error().message;
  EXPECT_EQ(found->tensors.size(), 11u);
  ASSERT_EQ(expected->tensors.size(), 3u);  // q, k and v
  for (const auto& [name, tensor] : expected->tensors) {
    SCOPED_TRACE(name);
    ASSERT_TRUE(found->tensors.contains(name));
    const Tensor& other = found->tensors.at(name);
    ASSERT_EQ(tensor.shape, other.shape);
    std::vector<float> a(tensor.rows() * tensor.cols()), b(a.size());
    ASSERT_TRUE(DecodeRows(tensor, 0, tensor.rows(), a));
    ASSERT_TRUE(DecodeRows(other, 0, other.rows(), b));
    EXPECT_EQ(a, b);
  }
  EXPECT_EQ(found->tensors.at("model.layers.0.self_attn.q_proj.weight").dtype, DType::kQ4_1);
  EXPECT_EQ(found->config["tie_word_embeddings"], true);
  EXPECT_EQ(found->config["num_key_value_heads"], 2);
  EXPECT_EQ(found->config["vocab_size"], 275);
  EXPECT_FALSE(found->config.contains("head_dim"));
}

TEST(Gguf, SentencePieceTokenizer) {
  const auto found = OpenCheckpoint({{"a.gguf", LoadFile(kFolder + "llama/model.gguf")}});
  ASSERT_TRUE(found) << found.error().message;
  EXPECT_EQ(found->notes, std::vector<std::string>{});
  const Json tokenizer = FileJson(*found, "tokenizer.json");
  ASSERT_TRUE(tokenizer.is_object());
  const Json& model = tokenizer["model"];
  EXPECT_EQ(model["type"], "BPE");
  EXPECT_EQ(model["byte_fallback"], true);
  EXPECT_EQ(model["fuse_unk"], true);
  EXPECT_EQ(model["unk_token"], "<unk>");
  const auto merges = ParseJson(LoadFile(kFolder + "llama/merges.json").text());
  ASSERT_TRUE(merges && merges->size() > 5);
  EXPECT_EQ(model["merges"], *merges);
  EXPECT_EQ(tokenizer["normalizer"]["normalizers"][0]["type"], "Prepend");
  EXPECT_EQ(tokenizer["decoder"]["decoders"].size(), 4u);
  EXPECT_EQ(tokenizer["post_processor"]["single"][0]["SpecialToken"]["id"], "<s>");
  ASSERT_EQ(tokenizer["added_tokens"].size(), 4u);
  EXPECT_EQ(tokenizer["added_tokens"][2]["content"], "</s>");
  EXPECT_EQ(tokenizer["added_tokens"][2]["special"], true);
  EXPECT_EQ(tokenizer["added_tokens"][3]["content"], "<tool>");
  EXPECT_EQ(tokenizer["added_tokens"][3]["special"], false);
  EXPECT_EQ(FileJson(*found, "tokenizer_config.json")["bos_token"], "<s>");
  EXPECT_EQ(FileJson(*found, "tokenizer_config.json")["chat_template"],
            "{{ messages[0]['content'] }}");
  EXPECT_EQ(
      FileJson(*found, "generation_config.json"),
      (Json{{"eos_token_id", {2}}, {"do_sample", true}, {"temperature", 0.5}, {"top_k", 20}}));
}

TEST(Gguf, Bert) {
  const auto found = OpenCheckpoint({{"a.gguf", LoadFile(kFolder + "bert/model.gguf")}});
  ASSERT_TRUE(found) << found.error().message;
  EXPECT_EQ(found->tensors.size(), 21u);
  for (const char* name :
       {"embeddings.word_embeddings.weight", "embeddings.token_type_embeddings.weight",
        "embeddings.LayerNorm.bias", "encoder.layer.0.attention.self.query.bias",
        "encoder.layer.0.attention.output.LayerNorm.weight",
        "encoder.layer.0.intermediate.dense.weight", "encoder.layer.0.output.LayerNorm.bias"}) {
    EXPECT_TRUE(found->tensors.contains(name)) << name;
  }
  EXPECT_EQ(found->config["model_type"], "bert");
  EXPECT_EQ(found->config["type_vocab_size"], 2);
  EXPECT_EQ(found->config["max_position_embeddings"], 16);
  EXPECT_EQ(found->config["layer_norm_eps"], 1e-12);
  const Json tokenizer = FileJson(*found, "tokenizer.json");
  ASSERT_TRUE(tokenizer.is_object()) << found->notes[0];
  EXPECT_EQ(tokenizer["model"]["vocab"], (Json{{"[PAD]", 0},
                                               {"[UNK]", 1},
                                               {"[CLS]", 2},
                                               {"[SEP]", 3},
                                               {"[MASK]", 4},
                                               {"un", 5},
                                               {"##able", 6},
                                               {"the", 7},
                                               {"##!", 8},
                                               {"!", 9},
                                               {"##s", 10}}));
  EXPECT_EQ(tokenizer["added_tokens"].size(), 5u);
  EXPECT_EQ(tokenizer["post_processor"]["pair"].size(), 5u);
}

TEST(Gguf, FilesBesideItWin) {
  const auto found = OpenCheckpoint({{"a.gguf", LoadFile(kFolder + "bert/model.gguf")},
                                     {"tokenizer.json", Blob::FromString("{\"mine\": 1}")}});
  ASSERT_TRUE(found) << found.error().message;
  EXPECT_EQ(FileJson(*found, "tokenizer.json"), (Json{{"mine", 1}}));
}

}  // namespace
}  // namespace dunnock
