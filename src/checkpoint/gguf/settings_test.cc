// Each metadata key that changes an answer is obeyed, noted or refused.

#include <gtest/gtest.h>

#include <bit>

#include "base/str.h"
#include "checkpoint/gguf/gguf.h"
#include "checkpoint/test_files.h"

namespace dunnock {
namespace {

const std::string kFolder = DUNNOCK_SOURCE_DIR "/tests/golden/checkpoint/gguf/";

// Rewrites a GGUF file with other metadata and other tensors.
class Writer {
 public:
  explicit Writer(const std::string& like) : file_(LoadFile(kFolder + like + "/model.gguf")) {
    const GgufFile read = ReadGgufFile(file_.bytes()).value();
    for (const auto& [key, value] : read.metadata) values_[key] = Encoded(value);
    tensors_ = read.tensors;
  }
  Writer& Uint(const std::string& key, uint32_t value) {
    return Scalar(key, GgufType::kU32, value);
  }
  Writer& Float(const std::string& key, float value) { return Scalar(key, GgufType::kF32, value); }
  Writer& Bool(const std::string& key, bool value) {
    return Scalar(key, GgufType::kBool, static_cast<uint8_t>(value));
  }
  Writer& Text(const std::string& key, std::string_view value) {
    values_[key] = Bytes(static_cast<uint32_t>(GgufType::kString)) + Sized(value);
    return *this;
  }
  Writer& Texts(const std::string& key, const std::vector<std::string>& list) {
    std::string out = ArrayOf(GgufType::kString, list.size());
    for (const std::string& text : list) out += Sized(text);
    values_[key] = out;
    return *this;
  }
  Writer& Floats(const std::string& key, const std::vector<float>& list) {
    std::string out = ArrayOf(GgufType::kF32, list.size());
    for (const float value : list) out += Bytes(value);
    values_[key] = out;
    return *this;
  }
  Writer& Ints(const std::string& key, const std::vector<int32_t>& list) {
    std::string out = ArrayOf(GgufType::kI32, list.size());
    for (const int32_t value : list) out += Bytes(value);
    values_[key] = out;
    return *this;
  }
  Writer& Drop(const std::string& key) {
    values_.erase(key);
    return *this;
  }
  Writer& Tensor(const std::string& name, std::vector<uint64_t> shape) {
    uint64_t count = 1;
    for (const uint64_t size : shape) count *= size;
    zeros_.push_back(Blob::FromVector(std::vector<uint8_t>(count * 4)));
    tensors_[name] = {DType::kF32, std::move(shape), zeros_.back().bytes()};
    return *this;
  }
  Writer& NoTensors() {
    tensors_.clear();
    return *this;
  }
  // Only tensors whose names begin so, or all others.
  Writer& Keep(std::string_view beginning, bool those) {
    std::erase_if(tensors_, [&](const auto& t) { return t.first.starts_with(beginning) != those; });
    return *this;
  }

  Blob Build() const {
    std::string out = "GGUF" + Bytes(uint32_t{3}) + Bytes(uint64_t{tensors_.size()}) +
                      Bytes(uint64_t{values_.size()});
    for (const auto& [key, value] : values_) out += Sized(key) + value;
    std::string data;
    for (const auto& [name, tensor] : tensors_) {
      data.resize((data.size() + 31) / 32 * 32);
      out += Sized(name) + Bytes(static_cast<uint32_t>(tensor.shape.size()));
      for (size_t i = tensor.shape.size(); i-- > 0;) out += Bytes(tensor.shape[i]);
      out += Bytes(TypeOf(tensor.dtype)) + Bytes(uint64_t{data.size()});
      data += AsText(tensor.bytes);
    }
    out.resize((out.size() + 31) / 32 * 32);
    return Blob::FromString(out + data);
  }

 private:
  template <typename T>
  static std::string Bytes(T value) {
    return {reinterpret_cast<const char*>(&value), sizeof value};
  }
  static std::string Sized(std::string_view text) {
    return Bytes(uint64_t{text.size()}) + std::string(text);
  }
  static std::string ArrayOf(GgufType element, size_t count) {
    return Bytes(static_cast<uint32_t>(GgufType::kArray)) + Bytes(static_cast<uint32_t>(element)) +
           Bytes(uint64_t{count});
  }
  static uint32_t TypeOf(DType dtype) {
    return dtype == DType::kF32 ? 0 : dtype == DType::kF16 ? 1 : dtype == DType::kQ4_0 ? 2 : 3;
  }
  static std::string Encoded(const GgufValue& value) {
    const std::string bytes(AsText(value.bytes));
    if (value.type == GgufType::kArray) return ArrayOf(value.element, value.count) + bytes;
    const std::string type = Bytes(static_cast<uint32_t>(value.type));
    return type + (value.type == GgufType::kString ? Sized(bytes) : bytes);
  }
  template <typename T>
  Writer& Scalar(const std::string& key, GgufType type, T value) {
    values_[key] = Bytes(static_cast<uint32_t>(type)) + Bytes(value);
    return *this;
  }

  Blob file_;
  std::map<std::string, std::string> values_;  // type and value, as in the file
  TensorMap tensors_;
  std::vector<Blob> zeros_;
};

Result<Checkpoint> Open(const Writer& writer) {
  return OpenCheckpoint({{"a.gguf", writer.Build()}});
}

Json FileJson(const Checkpoint& checkpoint, const std::string& name) {
  const auto file = checkpoint.files.find(name);
  if (file == checkpoint.files.end()) return nullptr;
  return ParseJson(file->second.text()).value_or(nullptr);
}

bool Holds(const std::vector<std::string>& notes, std::string_view piece) {
  return std::any_of(notes.begin(), notes.end(),
                     [&](const std::string& n) { return n.find(piece) != std::string::npos; });
}

TEST(GgufSettings, WhatCannotBeDoneIsRefusedByName) {
  struct Case {
    Writer writer;
    std::vector<std::string> pieces;
  };
  const std::vector<Case> cases = {
      {Writer("llama").Text("llama.rope.scaling.type", "yarn"),
       {"llama.rope.scaling.type", "yarn"}},
      {Writer("llama").Float("llama.rope.scale_linear", 2), {"llama.rope.scale_linear", "2"}},
      {Writer("llama").Float("llama.rope.scaling.factor", 4), {"llama.rope.scaling.factor", "4"}},
      {Writer("llama").Float("llama.logit_scale", 8), {"llama.logit_scale", "8"}},
      {Writer("llama").Float("llama.attention.scale", 0.5), {"llama.attention.scale", "0.5"}},
      {Writer("llama").Bool("llama.attention.causal", false), {"llama.attention.causal", "false"}},
      {Writer("llama").Uint("llama.attention.sliding_window", 64), {"sliding_window", "64"}},
      {Writer("llama").Uint("llama.expert_count", 8), {"llama.expert_count", "8", "experts"}},
      {Writer("llama").Uint("split.count", 2), {"2 parts", "00001-of-0000N"}},
      {Writer("bert").Bool("bert.attention.causal", true), {"bert.attention.causal", "true"}},
      {Writer("bert").Uint("bert.pooling_type", 9), {"bert.pooling_type", "9"}},
      {Writer("bert").Uint("bert.pooling_type", 4), {"bert.pooling_type", "4", "cls.weight"}},
      {Writer("bert").Float("bert.attention.max_alibi_bias", 8), {"max_alibi_bias", "8"}},
      {Writer("bert").Tensor("cls.output.weight", {1, 8}), {"cls.weight"}},
      {Writer("bert").Tensor("cls.weight", {8, 8}), {"cls.output.weight"}},
  };
  for (const Case& c : cases) {
    const auto found = Open(c.writer);
    ASSERT_FALSE(found) << c.pieces[0];
    for (const std::string& piece : c.pieces)
      EXPECT_NE(found.error().message.find(piece), std::string::npos) << found.error().message;
  }
}

TEST(GgufSettings, WhatIsNotDoneIsNoted) {
  const auto found = Open(Writer("llama")
                              .Uint("general.sampling.mirostat", 2)
                              .Float("general.sampling.xtc_probability", 0.5)
                              .Float("llama.rope.scale_linear", 1)
                              .Bool("llama.attention.causal", true));
  ASSERT_TRUE(found) << found.error().message;
  EXPECT_EQ(found->notes.size(), 2u);
  EXPECT_TRUE(Holds(found->notes, "general.sampling.mirostat"));
  EXPECT_TRUE(Holds(found->notes, "general.sampling.xtc_probability"));
}

TEST(GgufSettings, PoolingBecomesTheFilesOfSentenceTransformers) {
  const char* const modes[] = {"bert.pooling_type 0, none", "mean", "cls", "lasttoken"};
  for (uint32_t type = 0; type < std::size(modes); ++type) {
    const auto found = Open(Writer("bert").Uint("bert.pooling_type", type));
    ASSERT_TRUE(found) << found.error().message;
    EXPECT_EQ(FileJson(*found, "1_Pooling/config.json"), (Json{{"pooling_mode", modes[type]}}));
    EXPECT_EQ(FileJson(*found, "modules.json")[1]["path"], "1_Pooling");
  }
  EXPECT_FALSE(Open(Writer("bert").Drop("bert.pooling_type"))->files.contains("modules.json"));
}

TEST(GgufSettings, Reranker) {
  const auto found = Open(Writer("bert")
                              .Uint("bert.pooling_type", 4)
                              .Tensor("cls.weight", {8, 8})
                              .Tensor("cls.bias", {8})
                              .Tensor("cls.output.weight", {1, 8})
                              .Tensor("cls.output.bias", {1}));
  ASSERT_TRUE(found) << found.error().message;
  EXPECT_EQ(found->config["architectures"][0], "BertForSequenceClassification");
  EXPECT_EQ(found->config["num_labels"], 1);
  EXPECT_TRUE(found->tensors.contains("pooler.dense.bias"));
  EXPECT_TRUE(found->tensors.contains("classifier.weight"));
}

TEST(GgufSettings, WordPieceKeepsCaseWhereTheFileSaysSo) {
  const auto normalizer = [](const Writer& writer) {
    return FileJson(*Open(writer), "tokenizer.json")["normalizer"];
  };
  EXPECT_EQ(normalizer(Writer("bert"))["lowercase"], true);
  const std::string key = "tokenizer.ggml.normalizer.";
  const Json cased = normalizer(Writer("bert").Bool(key + "lowercase", false));
  EXPECT_EQ(cased["lowercase"], false);
  EXPECT_TRUE(cased["strip_accents"].is_null());
  const Json both = normalizer(Writer("bert").Bool(key + "strip_accents", false));
  EXPECT_EQ(both["lowercase"], true);
  EXPECT_EQ(both["strip_accents"], false);
}

TEST(GgufSettings, IdsThatNoTokenHasAreLeftOutWithANote) {
  const auto found = Open(Writer("llama").Uint("tokenizer.ggml.padding_token_id", 275));
  ASSERT_TRUE(found) << found.error().message;
  EXPECT_TRUE(Holds(found->notes, "tokenizer.ggml.padding_token_id\" is 275, but there are 275"));
  EXPECT_TRUE(found->files.contains("tokenizer.json"));
  EXPECT_FALSE(FileJson(*found, "tokenizer_config.json").contains("pad_token"));
}

TEST(GgufSettings, SentencePieceHasIdsOfItsOwn) {
  Writer writer("llama");
  for (const char* name : {"bos", "eos", "unknown", "padding"})
    writer.Drop(Str("tokenizer.ggml.", name, "_token_id"));
  const auto found = Open(writer);
  ASSERT_TRUE(found) << found.error().message;
  EXPECT_EQ(FileJson(*found, "tokenizer_config.json")["bos_token"], "<s>");
  EXPECT_EQ(FileJson(*found, "tokenizer.json")["post_processor"]["single"][0]["SpecialToken"]["id"],
            "<s>");
  EXPECT_EQ(FileJson(*found, "generation_config.json")["eos_token_id"], Json::array({2}));
}

TEST(GgufSettings, EveryTurnEndEndsAReply) {
  const auto found = Open(Writer("llama")
                              .Uint("tokenizer.ggml.eot_token_id", 7)
                              .Uint("tokenizer.ggml.eom_token_id", 9)
                              .Ints("tokenizer.ggml.suppress_tokens", {4, 5}));
  ASSERT_TRUE(found) << found.error().message;
  const Json generation = FileJson(*found, "generation_config.json");
  EXPECT_EQ(generation["eos_token_id"], Json::array({2, 7, 9}));
  EXPECT_EQ(generation["suppress_tokens"], Json::array({4, 5}));
}

// A Llama file without sampling settings.
Writer Unsampled() {
  Writer out("llama");
  for (const char* key : {"temp", "top_k", "top_p", "min_p", "penalty_repeat"})
    out.Drop(Str("general.sampling.", key));
  return out;
}

TEST(GgufSettings, SamplingIsAskedForByAnyOfItsKeys) {
  const auto generation = [](const Writer& writer) {
    return FileJson(*Open(writer), "generation_config.json");
  };
  Json found = generation(
      Unsampled().Float("general.sampling.temp", 0.75f).Uint("general.sampling.top_k", 20));
  EXPECT_EQ(found["do_sample"], true);
  EXPECT_EQ(found["temperature"], 0.75);
  EXPECT_EQ(found["top_k"], 20);
  found = generation(Unsampled().Uint("general.sampling.top_k", 20));
  EXPECT_EQ(found["do_sample"], true);
  EXPECT_EQ(found["temperature"], 0.8);
  EXPECT_EQ(generation(Unsampled().Float("general.sampling.temp", 0))["do_sample"], false);
  EXPECT_FALSE(generation(Unsampled()).contains("do_sample"));
}

TEST(GgufSettings, ScoresNeverMergeTextIntoAControlToken) {
  const std::vector<std::string> tokens = {"<unk>", "<s>", "</s>", "<", "s", ">", "<s", "s>", "▁"};
  const auto found = Open(Writer("llama")
                              .Texts("tokenizer.ggml.tokens", tokens)
                              .Floats("tokenizer.ggml.scores", {0, 0, 0, -1, -2, -3, -4, -5, -6})
                              .Ints("tokenizer.ggml.token_type", {2, 3, 3, 1, 1, 1, 1, 1, 1}));
  ASSERT_TRUE(found) << found.error().message;
  EXPECT_EQ(FileJson(*found, "tokenizer.json")["model"]["merges"],
            Json::parse(R"([["<", "s"], ["s", ">"]])"));
}

TEST(GgufSettings, AVocabularyWithoutWeightsOpens) {
  const auto found = Open(Writer("llama").NoTensors().Text("general.architecture", "other"));
  ASSERT_TRUE(found) << found.error().message;
  EXPECT_TRUE(found->tensors.empty());
  EXPECT_TRUE(found->files.contains("tokenizer.json"));
}

TEST(GgufSplit, PartsAreOneCheckpoint) {
  const Blob whole = Writer("llama").Build();
  const Blob first = Writer("llama")
                         .Keep("blk.", false)
                         .Uint("split.count", 2)
                         .Uint("split.no", 0)
                         .Uint("split.tensors.count", 11)
                         .Build();
  const Blob second =
      Writer("llama").Keep("blk.", true).Uint("split.count", 2).Uint("split.no", 1).Build();
  const FileSet files = {{"m-00001-of-00002.gguf", first}, {"m-00002-of-00002.gguf", second}};
  const auto found = OpenCheckpoint(files), expected = OpenCheckpoint({{"a.gguf", whole}});
  ASSERT_TRUE(found) << found.error().message;
  ASSERT_EQ(found->tensors.size(), expected->tensors.size());
  for (const auto& [name, tensor] : expected->tensors)
    EXPECT_TRUE(std::ranges::equal(found->tensors.at(name).bytes, tensor.bytes)) << name;

  const auto alone = OpenCheckpoint({{"m-00001-of-00002.gguf", first}});
  ASSERT_FALSE(alone);
  EXPECT_NE(alone.error().message.find("m-00002-of-00002.gguf is missing"), std::string::npos)
      << alone.error().message;
  const auto later = OpenCheckpoint({{"m-00002-of-00002.gguf", second}});
  ASSERT_FALSE(later);
  EXPECT_NE(later.error().message.find("m-00001-of-00002.gguf is missing"), std::string::npos);
  const auto twice =
      OpenCheckpoint({{"m-00001-of-00002.gguf", first}, {"m-00002-of-00002.gguf", first}});
  ASSERT_FALSE(twice);
  EXPECT_NE(twice.error().message.find("split.no"), std::string::npos) << twice.error().message;
}

}  // namespace
}  // namespace dunnock
