// Tiny checkpoints are exported and opened again: the same weights, the same tokenizer.

#include "pipeline/export/export.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <filesystem>

#include "base/str.h"
#include "bundle/bundle.h"
#include "checkpoint/gguf/file.h"
#include "io/file.h"
#include "models/forward.h"
#include "pipeline/export/export_metadata.h"
#include "tokenizer/tokenizer.h"

namespace dunnock {
namespace {

namespace fs = std::filesystem;
using Floats = std::vector<float>;

const std::string kGolden = DUNNOCK_SOURCE_DIR "/tests/golden/";

testing::AssertionResult Says(const std::string& text, const std::string& part) {
  if (text.find(part) != std::string::npos) return testing::AssertionSuccess();
  return testing::AssertionFailure() << "\"" << text << "\" does not say \"" << part << "\"";
}

std::string Joined(const std::vector<std::string>& notes) {
  std::string out;
  for (const std::string& note : notes) out += note + "\n";
  return out;
}

// The last hidden states and logits, or the labels, of a few tokens in float32.
Floats Outputs(const FileSet& files) {
  Bundle bundle;
  if (IsBundle(files)) {
    bundle = OpenBundle(files).value();
  } else {
    bundle.checkpoint = OpenCheckpoint(files).value();
  }
  LoadOptions options;
  options.compute = Compute::kF32;
  options.packed = &bundle.weights;
  const auto loaded = LoadModel(bundle.checkpoint, options);
  if (!loaded) {
    ADD_FAILURE() << loaded.error().message;
    return {};
  }
  const Model& model = **loaded;
  const ModelInfo& info = model.info();
  const std::vector<int32_t> ids = {5, 9, 0, 3, 3, 17, 2};
  KvCache cache(info.kv, info.context_length, KvEncoding::kF32);
  BatchBuilder batch;
  batch.Add(cache, ids);
  Floats out(ids.size() * info.hidden_size);
  const Rows hidden{out.data(), ids.size(), info.hidden_size};
  Scratch scratch;
  Forward(model, hidden, batch.batch(), scratch);
  if (info.causal) {
    Floats logits(ids.size() * info.vocab_size);
    model.Logits({logits.data(), ids.size(), info.vocab_size}, hidden);
    out.insert(out.end(), logits.begin(), logits.end());
  } else if (info.labels > 0) {
    Floats first(out.begin(), out.begin() + static_cast<ptrdiff_t>(info.hidden_size));
    Floats logits(info.labels);
    model.Classify({logits.data(), 1, info.labels}, {first.data(), 1, info.hidden_size}, scratch);
    out.insert(out.end(), logits.begin(), logits.end());
  }
  return out;
}

bool SameBits(const Floats& a, const Floats& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

double RelativeError(const Floats& found, const Floats& expected) {
  double error = 0, all = 0;
  for (size_t i = 0; i < expected.size(); ++i) {
    error += std::pow(found[i] - expected[i], 2);
    all += std::pow(expected[i], 2);
  }
  return std::sqrt(error / all);
}

struct Export : testing::Test {
  Export() {
    std::string path = (fs::temp_directory_path() / "dunnock-export-XXXXXX").string();
    folder = mkdtemp(path.data());
  }
  ~Export() override { fs::remove_all(folder); }

  Result<ExportReport> Write(const FileSet& source, std::string_view type,
                             ExportOptions options = {}) const {
    options.type = ExportTypeNamed(type).value();
    return ExportGguf(source, Path(), options);
  }
  std::string Path() const { return (folder / "x.gguf").string(); }
  FileSet Written() const { return {{"x.gguf", MapFile(Path()).value()}}; }
  void Clear() const { fs::remove(Path()); }
  size_t Files() const {
    return static_cast<size_t>(std::distance(fs::directory_iterator(folder), {}));
  }
  fs::path folder;
};

FileSet Golden(const std::string& name) { return MapFolder(kGolden + "models/" + name).value(); }

TEST_F(Export, Float32IsTheSameModel) {
  for (const char* name :
       {"llama-gqa-tied/safetensors", "llama-mha-untied/safetensors", "llama-bias/safetensors",
        "llama-odd/safetensors", "smollm3-nope/safetensors", "openelm-270m/safetensors",
        "openelm-3b/safetensors-sharded", "tinyllama-1.1b/pytorch", "bert-tiny/safetensors",
        "bert-odd/safetensors", "st-tiny", "ms-marco-minilm-l6-v2/safetensors",
        "llama-gqa-tied/bundle-int4", "llama-gqa-tied/bundle-int4-grouped"}) {
    SCOPED_TRACE(name);
    const FileSet source = Golden(name);
    const auto report = Write(source, "f32");
    ASSERT_TRUE(report) << report.error().message;
    EXPECT_EQ(report->file_bytes, FileSize(Path()));
    EXPECT_EQ(report->types.size(), 1u);
    EXPECT_EQ(report->types.at("F32").parameters, report->parameters);
    EXPECT_EQ(report->types.at("F32").relative_error(), 0);
    EXPECT_TRUE(SameBits(Outputs(Written()), Outputs(source)));
    Clear();
  }
}

TEST_F(Export, RoundedTypesAreNear) {
  const FileSet source = Golden("llama-mha-untied/safetensors");
  const Floats expected = Outputs(source);
  for (const auto& [type, most] :
       {std::pair("f16", 2e-3), {"q8_0", 0.02}, {"q4_1", 0.25}, {"q4_0", 0.3}}) {
    SCOPED_TRACE(type);
    const auto report = Write(source, type);
    ASSERT_TRUE(report) << report.error().message;
    for (const auto& [name, of] : report->types) {
      if (name == "F32") continue;
      EXPECT_GT(of.relative_error(), 0) << name;
      EXPECT_LT(of.relative_error(), most) << name;
    }
    const double error = RelativeError(Outputs(Written()), expected);
    EXPECT_GT(error, 0);
    EXPECT_LT(error, 2 * most);
    Clear();
  }
}

// Rows of the type that is asked for are not rounded again, not even those that move.
TEST_F(Export, BlocksOfAGgufAreCopied) {
  const FileSet source = {
      {"a.gguf", MapFile(kGolden + "checkpoint/gguf/llama/model.gguf").value()}};
  const GgufFile before = ReadGgufFile(source.at("a.gguf").bytes()).value();
  const auto report = Write(source, "q4_1");
  ASSERT_TRUE(report) << report.error().message;
  EXPECT_GT(report->types.at("Q4_1").copied, 0u);
  const FileSet written = Written();
  const GgufFile after = ReadGgufFile(written.at("x.gguf").bytes()).value();
  size_t same = 0;
  for (const auto& [name, tensor] : before.tensors) {
    SCOPED_TRACE(name);
    ASSERT_TRUE(after.tensors.contains(name));
    const Tensor& other = after.tensors.at(name);
    EXPECT_EQ(other.shape, tensor.shape);
    if (tensor.dtype != DType::kQ4_1 || other.dtype != DType::kQ4_1) continue;
    EXPECT_TRUE(std::ranges::equal(tensor.bytes, other.bytes));
    ++same;
  }
  EXPECT_GT(same, 0u);
}

TEST_F(Export, TheHeadKeepsEightBits) {
  const auto type = [&](const FileSet& source, const std::string& name) {
    EXPECT_TRUE(Write(source, "q4_0"));
    const FileSet written = Written();
    const GgufFile file = ReadGgufFile(written.at("x.gguf").bytes()).value();
    Clear();
    return file.tensors.at(name).dtype;
  };
  const FileSet gguf = {{"a.gguf", MapFile(kGolden + "checkpoint/gguf/llama/model.gguf").value()}};
  EXPECT_EQ(type(gguf, "token_embd.weight"), DType::kQ8_0);  // tied
  EXPECT_EQ(type(gguf, "blk.0.attn_q.weight"), DType::kQ4_0);
}

TEST_F(Export, WhatCannotBeWrittenIsRefused) {
  const auto error = [&](const FileSet& source, ExportOptions options = {}) {
    const auto report = Write(source, "q8_0", options);
    EXPECT_FALSE(report);
    EXPECT_LE(Files(), 1u);
    return report ? "" : report.error().message;
  };
  EXPECT_TRUE(Says(error(Golden("smollm3-list/safetensors")), "every fourth"));
  FileSet xlmr = Golden("bert-tiny/safetensors");
  xlmr["tokenizer.json"] = MapFile(kGolden + "tokenizers/xlmr/tokenizer.json").value();
  EXPECT_TRUE(Says(error(xlmr), "the tokenizer cannot be written: tokenizer.json: a tokenizer of"));
  ExportOptions bare;
  bare.tokenizer = false;
  const auto report = Write(xlmr, "q8_0", bare);
  ASSERT_TRUE(report) << report.error().message;
  EXPECT_TRUE(Says(Joined(report->notes), "no tokenizer"));
  EXPECT_TRUE(Says(error(xlmr, bare), "exists already"));
  bare.replace = true;
  EXPECT_TRUE(Write(xlmr, "q8_0", bare));
  EXPECT_EQ(Files(), 1u);
  std::atomic<bool> cancel = true;
  bare.cancel = &cancel;
  EXPECT_TRUE(Says(error(xlmr, bare), "interrupted"));
  Clear();
  FileSet half = Golden("llama-odd/safetensors");
  half["config.json"] = Blob::FromString(
      "{\"model_type\": \"llama\", \"hidden_size\": 8, \"num_hidden_layers\": 1, "
      "\"num_attention_heads\": 2, \"intermediate_size\": 8, \"vocab_size\": 9}");
  EXPECT_TRUE(Says(error(half), "expected"));
}

TEST_F(Export, ASecondRoundingIsNoted) {
  const FileSet bundle = Golden("llama-gqa-tied/bundle-int4");
  EXPECT_TRUE(Says(Joined(Write(bundle, "q4_0").value().notes), "a second time"));
  Clear();
  EXPECT_FALSE(Says(Joined(Write(bundle, "q8_0").value().notes), "a second time"));
}

TEST_F(Export, PoolingIsWritten) {
  ASSERT_TRUE(Write(Golden("st-tiny-cls"), "f32"));
  const FileSet written = Written();
  EXPECT_EQ(ReadGgufFile(written.at("x.gguf").bytes())->Uint("bert.pooling_type").value(), 2u);
}

// The tokenizer that is read from what was written of another.
Result<Tokenizer> Rewritten(const FileSet& files, bool causal, std::vector<std::string>* notes) {
  const Tokenizer own = Tokenizer::FromFiles(files).value();
  Checkpoint checkpoint;
  checkpoint.config = {{"model_type", causal ? "llama" : "bert"}};
  checkpoint.files = files;
  GgufShape shape{};
  shape.causal = causal;
  shape.vocab = static_cast<uint32_t>(own.vocab_size());
  GgufMetadata metadata;
  DUNNOCK_TRY_STATUS(WriteSideFiles(&metadata, notes, checkpoint, shape, {}));
  const FileSet written = {{"a.gguf", Blob::FromString(GgufLayout().Header(metadata))}};
  DUNNOCK_TRY(const Checkpoint read, OpenCheckpoint(written));
  return Tokenizer::FromFiles(read.files);
}

TEST(ExportTokenizer, EncodesAndDecodesTheSame) {
  struct Case {
    const char* folder;
    const char* config;  // tokenizer_config.json; null: none
  };
  const Case cases[] = {
      {"smol", R"({"bos_token": "<|im_start|>", "eos_token": "<|im_end|>"})"},
      {"llama-spm", R"({"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"})"},
      {"bert", nullptr},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.folder);
    const std::string folder = kGolden + "tokenizers/" + c.folder;
    FileSet files = MapFolder(folder).value();
    files.erase("cases.jsonl");
    if (c.config != nullptr) files["tokenizer_config.json"] = Blob::FromString(c.config);
    std::vector<std::string> notes;
    const auto again = Rewritten(files, c.config != nullptr, &notes);
    ASSERT_TRUE(again) << again.error().message;
    const Tokenizer own = Tokenizer::FromFiles(files).value();
    size_t texts = 0;
    const std::string lines = ReadTextFile(folder + "/cases.jsonl").value();
    for (size_t at = 0, end; (end = lines.find('\n', at)) != std::string::npos; at = end + 1) {
      const std::string text =
          FindString(ParseJson(std::string_view(lines).substr(at, end - at)).value(), "text")
              .value();
      const std::vector<int32_t> ids = own.Encode(text);
      EXPECT_EQ(again->Encode(text), ids) << text;
      EXPECT_EQ(again->Encode(text, {.parse_special = true}),
                own.Encode(text, {.parse_special = true}))
          << text;
      EXPECT_EQ(again->Decode(ids), own.Decode(ids)) << text;
      ++texts;
    }
    EXPECT_GT(texts, 20u);
  }
}

// These merges come from a trainer that knows no scores: llama.cpp would merge more pairs.
TEST(ExportTokenizer, MergesThatAreNotSentencePiecesAreRefused) {
  FileSet files;
  files["tokenizer.json"] = MapFile(kGolden + "tokenizers/llama/tokenizer.json").value();
  std::vector<std::string> notes;
  const auto refused = Rewritten(files, true, &notes);
  ASSERT_FALSE(refused);
  EXPECT_TRUE(Says(refused.error().message, "its merges are not those of SentencePiece"));
}

}  // namespace
}  // namespace dunnock
