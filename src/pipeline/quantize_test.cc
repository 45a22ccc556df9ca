// Tiny checkpoints are quantized and opened again: a model from a bundle gives the same bits as one
// whose weights were packed in memory.

#include "pipeline/quantize.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <filesystem>

#include "base/str.h"
#include "bundle/bundle.h"
#include "io/file.h"
#include "kernels/packing/pack.h"
#include "models/forward.h"
#include "pipeline/bench.h"
#include "pipeline/plan/plan.h"
#include "runtime/engine.h"
#include "tensor/float16.h"

namespace dunnock {
namespace {

namespace fs = std::filesystem;
using Floats = std::vector<float>;

const std::string kGolden = DUNNOCK_SOURCE_DIR "/tests/golden/models/";

testing::AssertionResult Says(const std::string& text, const std::string& part) {
  if (text.find(part) != std::string::npos) return testing::AssertionSuccess();
  return testing::AssertionFailure() << "\"" << text << "\" does not say \"" << part << "\"";
}

// The last hidden states (and logits) of a few tokens.
Floats Outputs(const Model& model) {
  const ModelInfo& info = model.info();
  const std::vector<int32_t> ids = {5, 9, 0, 3, 3, 17, 2};
  KvCache cache(info.kv, info.context_length);
  BatchBuilder batch;
  batch.Add(cache, ids);
  Floats out(ids.size() * info.hidden_size);
  const Rows hidden{out.data(), ids.size(), info.hidden_size};
  Scratch scratch;
  Forward(model, hidden, batch.batch(), scratch);
  if (!info.causal) return out;
  Floats logits(ids.size() * info.vocab_size);
  model.Logits({logits.data(), ids.size(), info.vocab_size}, hidden);
  out.insert(out.end(), logits.begin(), logits.end());
  return out;
}

bool SameBits(const Floats& a, const Floats& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

// The expected bundle, made without files: weights packed from the checkpoint's tensors, tables
// rounded to 16 bits.
struct InMemory {
  Checkpoint checkpoint;
  std::map<std::string, Weight> weights;
};
InMemory PackInMemory(const FileSet& files, QuantizeFormat format) {
  InMemory out{OpenCheckpoint(files).value(), {}};
  const Checkpoint source = out.checkpoint;
  std::vector<std::string> notes;
  const std::vector<PlannedTensor> plan = PlanBundle(source, format, false, &notes).value();
  for (const PlannedTensor& t : plan) {
    const Tensor& tensor = *t.source;
    if (t.kind == PlannedTensor::kMatrix) {
      const RowReader read = [&](size_t row, std::span<float> values) {
        EXPECT_TRUE(DecodeRows(tensor, t.first_row + row, 1, values).has_value());
      };
      Weight packed = t.form.is_grouped() ? RoundToInt4Groups(t.rows, t.cols, t.form.group, read)
                                          : PackRows(t.form.encoding, t.rows, t.cols, read);
      if (t.bias != nullptr) {
        Floats bias(t.rows);
        EXPECT_TRUE(DecodeRows(*t.bias, 0, 1, bias).has_value());
        SetBias(&packed, bias);
      }
      out.weights.emplace(t.name, std::move(packed));
      out.checkpoint.tensors.erase(t.name + ".weight");  // a bundle has it only as panels
    } else if (t.kind == PlannedTensor::kTable && t.dtype == DType::kF16) {
      Floats values(t.rows * t.cols);
      EXPECT_TRUE(DecodeRows(tensor, 0, t.rows, values).has_value());
      std::vector<uint8_t> halves;
      for (const float v : values) {
        const uint16_t half = FloatToFloat16(v);
        halves.push_back(static_cast<uint8_t>(half & 255));
        halves.push_back(static_cast<uint8_t>(half >> 8));
      }
      out.checkpoint.storage.push_back(Blob::FromVector(std::move(halves)));
      out.checkpoint.tensors[t.name + ".weight"] = {
          DType::kF16, {t.rows, t.cols}, out.checkpoint.storage.back().bytes()};
    }
  }
  return out;
}

class QuantizeTest : public testing::Test {
 protected:
  void SetUp() override {
    folder_ =
        (fs::temp_directory_path() / ("dunnock_quantize_" + std::to_string(getpid()))).string();
    fs::create_directories(folder_);
  }
  void TearDown() override { fs::remove_all(folder_); }

  Result<QuantizeReport> Make(const FileSet& files, QuantizeFormat format, bool replace = false) {
    QuantizeOptions options;
    options.format = format;
    options.replace = replace;
    options.source_name = "org/tiny";
    return Quantize(files, folder_ + "/bundle", options);
  }
  FileSet Bundle() const { return MapFolder(folder_ + "/bundle").value(); }
  size_t Count() const {
    return static_cast<size_t>(std::distance(fs::directory_iterator(folder_), {}));
  }

  std::string folder_;
};

TEST_F(QuantizeTest, ABundleHasTheBitsOfWeightsPackedInMemory) {
  size_t compared = 0;
  for (const char* name :
       {"llama-gqa-tied/safetensors", "llama-mha-untied/safetensors", "llama-bias/safetensors",
        "llama-odd/safetensors", "llama-smol/gguf", "llama-gqa-tied/pytorch",
        "bert-tiny/safetensors", "bert-odd/safetensors", "st-tiny", "openelm-270m/safetensors",
        "ms-marco-minilm-l6-v2/safetensors"}) {
    const FileSet files = MapFolder(kGolden + name).value();
    for (const QuantizeFormat format :
         {QuantizeFormat::kInt8, QuantizeFormat::kInt4, QuantizeFormat::kInt4Grouped}) {
      SCOPED_TRACE(Str(name, " ", NameOf(format)));
      const auto report = Make(files, format, true);
      ASSERT_TRUE(report.has_value()) << report.error().message;
      const auto engine = Engine::Load(Bundle(), {});
      ASSERT_TRUE(engine.has_value()) << engine.error().message;
      const InMemory expected = PackInMemory(files, format);
      const auto model = LoadModel(expected.checkpoint, {.packed = &expected.weights});
      ASSERT_TRUE(model.has_value()) << model.error().message;
      const Floats out = Outputs((*engine)->model());
      EXPECT_TRUE(SameBits(out, Outputs(**model)));
      EXPECT_EQ(report->manifest.weights.size(), expected.weights.size());

      // float32 uses the values of the same codes, so the results are near but not equal.
      const auto exact = Engine::Load(Bundle(), {.compute = Compute::kF32});
      ASSERT_TRUE(exact.has_value()) << exact.error().message;
      const Floats f32 = Outputs((*exact)->model());
      double error = 0, square = 0;
      for (size_t i = 0; i < f32.size(); ++i) {
        error += (out[i] - f32[i]) * (out[i] - f32[i]);
        square += f32[i] * f32[i];
      }
      EXPECT_GT(error, 0.0);
      EXPECT_LT(error, 0.01 * square);
      ++compared;
    }
  }
  EXPECT_EQ(compared, 33u);
}

TEST_F(QuantizeTest, ACodedBundleHasTheWeightsOfARawOne) {
  for (const char* name : {"llama-bias/safetensors", "llama-smol/gguf", "openelm-270m/safetensors",
                           "bert-odd/safetensors", "ms-marco-minilm-l6-v2/safetensors"}) {
    const FileSet files = MapFolder(kGolden + name).value();
    for (const QuantizeFormat format :
         {QuantizeFormat::kInt8, QuantizeFormat::kInt4, QuantizeFormat::kInt4Grouped}) {
      SCOPED_TRACE(Str(name, " ", NameOf(format)));
      ASSERT_TRUE(Make(files, format, true).has_value());
      const auto raw = OpenBundle(Bundle());
      ASSERT_TRUE(raw.has_value()) << raw.error().message;
      QuantizeOptions options{
          .format = format, .codec = Codec::kRans, .replace = true, .source_name = "org/tiny"};
      const auto report = Quantize(files, folder_ + "/coded", options);
      ASSERT_TRUE(report.has_value()) << report.error().message;
      const FileSet coded_files = MapFolder(folder_ + "/coded").value();
      const auto coded = OpenBundle(coded_files);
      ASSERT_TRUE(coded.has_value()) << coded.error().message;
      EXPECT_EQ(coded_files.at("model.safetensors").size(), report->bundle_bytes);
      ASSERT_EQ(coded->weights.size(), raw->weights.size());
      for (const auto& [weight_name, weight] : raw->weights) {
        const Weight& other = coded->weights.at(weight_name);
        EXPECT_TRUE(std::ranges::equal(other.panels.bytes(), weight.panels.bytes())) << weight_name;
        EXPECT_TRUE(std::ranges::equal(other.scales.bytes(), weight.scales.bytes())) << weight_name;
        EXPECT_TRUE(std::ranges::equal(other.bias.bytes(), weight.bias.bytes())) << weight_name;
      }
      const auto engine = Engine::Load(coded_files, {}), same = Engine::Load(Bundle(), {});
      ASSERT_TRUE(engine.has_value() && same.has_value());
      EXPECT_TRUE(SameBits(Outputs((*engine)->model()), Outputs((*same)->model())));
    }
  }
}

TEST_F(QuantizeTest, TiedHeadsAreStoredOnce) {
  ASSERT_TRUE(Make(MapFolder(kGolden + "llama-gqa-tied/safetensors").value(), QuantizeFormat::kInt4)
                  .has_value());
  const auto bundle = OpenBundle(Bundle());
  ASSERT_TRUE(bundle.has_value());
  EXPECT_EQ(bundle->weights.at("model.embed_tokens").encoding, WeightEncoding::kInt6);
  EXPECT_EQ(bundle->weights.at("model.layers.0.mlp.up_proj").encoding, WeightEncoding::kInt4);
  EXPECT_FALSE(bundle->checkpoint.tensors.contains("model.embed_tokens.weight"));
  ASSERT_TRUE(
      Make(MapFolder(kGolden + "llama-mha-untied/safetensors").value(), QuantizeFormat::kInt4, true)
          .has_value());
  const auto untied = OpenBundle(Bundle());
  ASSERT_TRUE(untied.has_value());
  EXPECT_EQ(untied->weights.at("lm_head").encoding, WeightEncoding::kInt6);
  EXPECT_EQ(untied->weights.at("model.embed_tokens").encoding, WeightEncoding::kInt6);
}

TEST_F(QuantizeTest, TheBundleNeedsNothingElse) {
  const FileSet source = MapFolder(kGolden + "st-tiny").value();
  QuantizeOptions options;
  options.source_name = "org/tiny";
  options.base_model = "org/tiny";
  options.fallback_template = "{{ messages }}";
  const auto report = Quantize(source, folder_ + "/bundle", options);
  ASSERT_TRUE(report.has_value()) << report.error().message;
  const FileSet files = Bundle();
  for (const char* name :
       {"config.json", "tokenizer.json", "tokenizer_config.json", "vocab.txt", "modules.json",
        "sentence_bert_config.json", "1_Pooling/config.json", "chat_template.jinja"}) {
    ASSERT_TRUE(files.contains(name)) << name;
    if (!source.contains(name)) continue;  // the template
    EXPECT_EQ(files.at(name).text(), source.at(name).text()) << name;
  }
  EXPECT_FALSE(files.contains("golden.safetensors"));
  EXPECT_TRUE(Says(std::string(files.at("README.md").text()), "base_model: org/tiny"));
  // All but the manifest are in it, and all in it are there.
  EXPECT_EQ(report->manifest.files.size() + 1, files.size());
  for (const BundleFile& f : report->manifest.files) {
    EXPECT_EQ(files.at(f.name).size(), f.size_bytes) << f.name;
    EXPECT_EQ(f.sha256.size(), 64u);
  }
}

TEST_F(QuantizeTest, RefusesWithoutATrace) {
  const FileSet files = MapFolder(kGolden + "llama-gqa-tied/safetensors").value();
  ASSERT_TRUE(Make(files, QuantizeFormat::kInt8).has_value());
  const std::string before = *ReadTextFile(folder_ + "/bundle/manifest.json");
  EXPECT_TRUE(Says(Make(files, QuantizeFormat::kInt4).error().message, "exists already"));
  EXPECT_TRUE(
      Says(Make(Bundle(), QuantizeFormat::kInt4, true).error().message, "quantized already"));
  EXPECT_EQ(*ReadTextFile(folder_ + "/bundle/manifest.json"), before);

  // --force is for bundles only.
  fs::create_directories(folder_ + "/home");
  ASSERT_TRUE(WriteFileAtomically(folder_ + "/home/letter.txt", AsBytes("dear")).has_value());
  QuantizeOptions options;
  options.replace = true;
  EXPECT_TRUE(Says(Quantize(files, folder_ + "/home", options).error().message, "not a bundle"));
  EXPECT_TRUE(FileExists(folder_ + "/home/letter.txt"));

  const std::atomic<bool> cancel = true;
  options.cancel = &cancel;
  const auto cancelled = Quantize(files, folder_ + "/other", options);
  ASSERT_FALSE(cancelled.has_value());
  EXPECT_EQ(cancelled.error().code, ErrorCode::kCancelled);
  FileSet broken = files;
  broken["config.json"] = Blob::FromString("{\"model_type\": \"llama\"}");
  EXPECT_FALSE(Quantize(broken, folder_ + "/other", {}).has_value());
  EXPECT_EQ(Count(), 2u);  // the bundle and the home
}

TEST_F(QuantizeTest, NotFiniteWeightsAreNamed) {
  const FileSet files = MapFolder(kGolden + "llama-gqa-tied/safetensors").value();
  const Blob& shard = files.at("model.safetensors");
  const Checkpoint checkpoint = OpenCheckpoint(files).value();
  const Tensor& tensor = checkpoint.tensors.at("model.layers.0.mlp.up_proj.weight");
  ASSERT_EQ(tensor.dtype, DType::kF32);
  std::vector<uint8_t> bytes(shard.bytes().begin(), shard.bytes().end());
  const float infinity = INFINITY;
  std::memcpy(bytes.data() + (tensor.bytes.data() - shard.bytes().data()), &infinity, 4);
  FileSet broken = files;
  broken["model.safetensors"] = Blob::FromVector(std::move(bytes));
  const auto report = Make(broken, QuantizeFormat::kInt4);
  ASSERT_FALSE(report.has_value());
  EXPECT_TRUE(Says(report.error().message,
                   "model.layers.0.mlp.up_proj.weight: a value that is not finite"));
  EXPECT_EQ(Count(), 0u);
}

TEST_F(QuantizeTest, ABundleOfAnotherModelIsRefused) {
  ASSERT_TRUE(Make(MapFolder(kGolden + "llama-gqa-tied/safetensors").value(), QuantizeFormat::kInt8)
                  .has_value());
  FileSet files = Bundle();
  const std::string manifest(files["manifest.json"].text());
  const auto with = [&](const std::function<void(Json&)>& change) {
    Json config = ParseJson(files["config.json"].text()).value();
    change(config);
    FileSet changed = files;
    changed["config.json"] = Blob::FromString(DumpJson(config));
    return Engine::Load(changed, {}).error().message;
  };
  EXPECT_TRUE(
      Says(with([](Json& c) { c["vocab_size"] = 7; }), "model.embed_tokens: expected (7, "));
  EXPECT_TRUE(Says(with([](Json& c) { c["attention_bias"] = true; }), "expected a bias"));
  EXPECT_TRUE(Says(with([](Json& c) { c["num_hidden_layers"] = 99; }), "is missing"));
}

TEST(Bench, MeasuresDecodersAndEncoders) {
  BenchOptions options;
  options.prompt_tokens = 8;
  options.decode_tokens = 4;
  options.repeat = 2;
  auto decoder =
      Engine::Load(MapFolder(kGolden + "llama-gqa-tied/safetensors").value(), {}).value();
  for (const size_t batch : {1, 3}) {
    options.batch = batch;
    auto report = Bench(*decoder, options);
    ASSERT_TRUE(report.has_value()) << report.error().message;
    ASSERT_EQ(report->rows.size(), 3u);
    MeasureLimits(*decoder, &*report);
    for (const BenchRow& row : report->rows) {
      EXPECT_EQ(row.samples.size(), 2u);
      EXPECT_GT(row.samples.front(), 0.0) << row.name;
      EXPECT_GT(row.fraction_of_limit, 0.0);
      EXPECT_TRUE(row.limit == "int8" || row.limit == "read");
    }
  }
  auto encoder = Engine::Load(MapFolder(kGolden + "bert-tiny/safetensors").value(), {}).value();
  const auto report = Bench(*encoder, options);
  ASSERT_TRUE(report.has_value()) << report.error().message;
  EXPECT_EQ(report->rows.size(), 7u);
  EXPECT_EQ(report->rows.back().name, "padded_texts_per_s");
  EXPECT_EQ(report->rows.back().texts, 32u);
  options.prompt_tokens = 1'000'000;
  EXPECT_EQ(Bench(*decoder, options).error().code, ErrorCode::kLimit);
  options.repeat = 0;
  EXPECT_EQ(Bench(*decoder, options).error().code, ErrorCode::kInvalid);
}

}  // namespace
}  // namespace dunnock
