// Every layer of the tiny checkpoints against the reference, in every container; and what may never
// change a result: the split of a prompt, neighbours in a batch, truncation, threads.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <map>

#include "base/str.h"
#include "base/thread_pool.h"
#include "io/file.h"
#include "kernels/target.h"
#include "models/forward.h"

namespace dunnock {
namespace {

const std::string kGolden = DUNNOCK_SOURCE_DIR "/tests/golden/models/";

using Floats = std::vector<float>;

class Golden {
 public:
  explicit Golden(const std::string& name) {
    FileSet files;
    files["model.safetensors"] = MapFile(kGolden + name + "/golden.safetensors").value();
    checkpoint_ = OpenCheckpoint(files).value();
  }
  Floats Values(const std::string& name) const {
    const Tensor& t = checkpoint_.tensors.at(name);
    Floats out(t.rows() * t.cols());
    EXPECT_TRUE(DecodeRows(t, 0, t.rows(), out).has_value());
    return out;
  }
  std::vector<int32_t> Ids(const std::string& name) const {
    const Tensor& t = checkpoint_.tensors.at(name);
    EXPECT_EQ(t.dtype, DType::kI32);
    std::vector<int32_t> out(t.rows() * t.cols());
    std::memcpy(out.data(), t.bytes.data(), t.bytes.size());
    return out;
  }
  bool Has(const std::string& name) const { return checkpoint_.tensors.contains(name); }

 private:
  Checkpoint checkpoint_;
};

std::unique_ptr<Model> Load(const std::string& folder, Compute compute = Compute::kF32) {
  auto files = MapFolder(kGolden + folder);
  EXPECT_TRUE(files.has_value());
  auto checkpoint = OpenCheckpoint(*files);
  EXPECT_TRUE(checkpoint.has_value())
      << folder << ": " << (checkpoint ? "" : checkpoint.error().message);
  auto model = LoadModel(*checkpoint, {compute, {}});
  EXPECT_TRUE(model.has_value()) << folder << ": " << (model ? "" : model.error().message);
  return *std::move(model);
}

double Worst(const Floats& a, const Floats& b) {
  EXPECT_EQ(a.size(), b.size());
  double worst = 0;
  for (size_t i = 0; i < std::min(a.size(), b.size()); ++i)
    worst = std::max(worst, std::fabs(double{a[i]} - b[i]));
  return worst;
}

// Runs texts as one batch; each has its own cache, behind what the cache holds.
Floats Forward(const Model& model, std::span<const std::vector<int32_t>> texts,
               std::vector<KvCache>& caches, std::function<void(size_t, ConstRows)> probe = nullptr,
               std::vector<int32_t> types = {}) {
  BatchBuilder batch;
  for (size_t i = 0, at = 0; i < texts.size(); at += texts[i++].size()) {
    batch.Add(caches[i], texts[i],
              types.empty() ? std::span<const int32_t>()
                            : std::span<const int32_t>(types).subspan(at, texts[i].size()));
  }
  Floats hidden(batch.tokens() * model.info().hidden_size);
  Scratch scratch;
  dunnock::Forward(model, {hidden.data(), batch.tokens(), model.info().hidden_size}, batch.batch(),
                   scratch, {.hidden = std::move(probe)});
  batch.Commit();
  return hidden;
}

std::vector<KvCache> Caches(const Model& model, size_t count) {
  std::vector<KvCache> out;
  for (size_t i = 0; i < count; ++i) out.emplace_back(model.info().kv, model.info().context_length);
  return out;
}

Floats LogitsOf(const Model& model, const Floats& hidden) {
  const size_t n = hidden.size() / model.info().hidden_size;
  Floats out(n * model.info().vocab_size);
  model.Logits({out.data(), n, model.info().vocab_size},
               {hidden.data(), n, model.info().hidden_size});
  return out;
}

// The largest difference to the golden over all layers (and the logits).
double WorstLayer(const Model& model, const Golden& golden) {
  double worst = 0;
  size_t layers = 0;
  auto caches = Caches(model, 1);
  const std::vector<std::vector<int32_t>> texts = {golden.Ids("ids")};
  const Floats last = Forward(
      model, texts, caches,
      [&](size_t layer, ConstRows x) {
        worst = std::max(
            worst, Worst(Floats(x.data, x.data + x.size()), golden.Values(Str("hidden.", layer))));
        ++layers;
      },
      golden.Has("type_ids") ? golden.Ids("type_ids") : std::vector<int32_t>());
  EXPECT_GE(layers, 3u);
  EXPECT_FALSE(golden.Has(Str("hidden.", layers))) << "a layer of the golden was not compared";
  if (golden.Has("final")) worst = std::max(worst, Worst(last, golden.Values("final")));
  if (golden.Has("logits") && model.info().causal)
    worst = std::max(worst, Worst(LogitsOf(model, last), golden.Values("logits")));
  return worst;
}

std::vector<std::string> FoldersIn(const std::string& path) {
  std::vector<std::string> out;
  for (const auto& entry : std::filesystem::directory_iterator(path))
    if (entry.is_directory()) out.push_back(entry.path().filename().string());
  std::sort(out.begin(), out.end());
  return out;
}

// Every checkpoint below tests/golden/models: FOLDER/CONTAINER. Bundles are rounded, and so not
// compared here (bits_test.cc does); a folder of sentence-transformers has no containers.
std::vector<std::string> Containers() {
  std::vector<std::string> out;
  for (const std::string& folder : FoldersIn(kGolden)) {
    if (std::filesystem::exists(kGolden + folder + "/modules.json")) continue;
    for (const std::string& container : FoldersIn(kGolden + folder))
      if (!container.starts_with("bundle-")) out.push_back(folder + "/" + container);
  }
  return out;
}

TEST(GoldenFolders, EachHasACheckpointAndWhatTheReferenceMakesOfIt) {
  const std::vector<std::string> containers = Containers();
  for (const std::string& folder : FoldersIn(kGolden)) {
    EXPECT_TRUE(std::filesystem::exists(kGolden + folder + "/golden.safetensors")) << folder;
    const bool has_container =
        std::any_of(containers.begin(), containers.end(),
                    [&](const std::string& c) { return c.starts_with(folder + "/"); });
    EXPECT_TRUE(has_container || std::filesystem::exists(kGolden + folder + "/modules.json"))
        << folder;
  }
}

class GoldenTest : public testing::TestWithParam<std::string> {};

TEST_P(GoldenTest, EveryLayerEqualsTheReference) {
  const std::string folder = GetParam();
  const std::string name = folder.substr(0, folder.find('/'));
  ASSERT_TRUE(std::filesystem::exists(kGolden + name + "/golden.safetensors"))
      << name << " has no golden.safetensors: make it anew (tests/golden/README.md)";
  const double worst = WorstLayer(*Load(folder), Golden(name));
  RecordProperty("largest_difference", Str(worst));
  EXPECT_LT(worst, 1e-4);
}

INSTANTIATE_TEST_SUITE_P(Containers, GoldenTest, testing::ValuesIn(Containers()),
                         [](const auto& info) {
                           std::string out = info.param;
                           for (char& c : out)
                             c = std::isalnum(static_cast<unsigned char>(c)) != 0 ? c : '_';
                           return out;
                         });

// A golden that cannot fail proves nothing: any one tensor, changed a little, must show.
TEST(GoldenTest, APerturbedWeightIsNoticed) {
  for (const std::string name : {"llama-gqa-tied", "bert-odd"}) {
    const Golden golden(name);
    const FileSet files = MapFolder(kGolden + name + "/safetensors").value();
    const Checkpoint whole = OpenCheckpoint(files).value();
    size_t tried = 0;
    for (const auto& [tensor_name, tensor] : whole.tensors) {
      if (tensor_name.find("pooler") != std::string::npos) continue;
      Checkpoint changed = whole;
      std::vector<uint8_t> bytes(tensor.bytes.begin(), tensor.bytes.end());
      std::vector<float> values(bytes.size() / 4);
      std::memcpy(values.data(), bytes.data(), bytes.size());
      for (float& v : values) v *= 1.01f;
      std::memcpy(bytes.data(), values.data(), bytes.size());
      changed.tensors[tensor_name].bytes = bytes;
      const auto model = LoadModel(changed, {Compute::kF32, {}});
      ASSERT_TRUE(model.has_value());
      // A scaled key bias only shifts all scores of a query alike: softmax does not see it.
      if (tensor_name.find("key.bias") != std::string::npos) continue;
      EXPECT_GT(WorstLayer(**model, golden), 2e-4) << tensor_name;
      ++tried;
    }
    EXPECT_GT(tried, 10u);
  }
}

TEST(Bert, PaddedBatchOfTheReferenceEqualsOurRaggedOne) {
  for (const std::string name : {"bert-tiny", "bert-odd"}) {
    const Golden golden(name);
    const auto model = Load(name + "/safetensors");
    std::vector<std::vector<int32_t>> texts;
    Floats expected;
    for (size_t i = 0; golden.Has(Str("batch.", i, ".ids")); ++i) {
      texts.push_back(golden.Ids(Str("batch.", i, ".ids")));
      const Floats last = golden.Values(Str("batch.", i, ".last"));
      expected.insert(expected.end(), last.begin(), last.end());
    }
    ASSERT_EQ(texts.size(), 4u);
    auto caches = Caches(*model, texts.size());
    EXPECT_LT(Worst(Forward(*model, texts, caches), expected), 1e-4);
  }
}

// All that must not matter, for float and integer products alike.
class InvarianceTest : public testing::TestWithParam<Compute> {};

TEST_P(InvarianceTest, SplitPromptTruncationNeighboursThreadsAndTargets) {
  for (const std::string& container : Containers()) {
    const std::string name = container.substr(0, container.find('/'));
    if (container != name + "/gguf") continue;
    const auto model = Load(container, GetParam());
    const std::vector<int32_t> ids = Golden(name).Ids("ids");
    auto caches = Caches(*model, 1);
    const std::vector<std::vector<int32_t>> whole = {ids};
    const Floats expected = Forward(*model, whole, caches);
    const Floats expected_logits = LogitsOf(*model, expected);

    // Split in every way into two, and token by token.
    for (size_t cut = 1; cut < ids.size(); ++cut) {
      auto split = Caches(*model, 1);
      const std::vector<std::vector<int32_t>> a = {
          {ids.begin(), ids.begin() + static_cast<std::ptrdiff_t>(cut)}};
      const std::vector<std::vector<int32_t>> b = {
          {ids.begin() + static_cast<std::ptrdiff_t>(cut), ids.end()}};
      Floats out = Forward(*model, a, split);
      const Floats rest = Forward(*model, b, split);
      out.insert(out.end(), rest.begin(), rest.end());
      ASSERT_EQ(out, expected) << name << " cut at " << cut;
    }
    Floats stepped;
    auto one = Caches(*model, 1);
    for (const int32_t id : ids) {
      const std::vector<std::vector<int32_t>> token = {{id}};
      const Floats out = Forward(*model, token, one);
      stepped.insert(stepped.end(), out.begin(), out.end());
    }
    ASSERT_EQ(stepped, expected) << name;

    // Other tokens, forgotten again.
    auto replay = Caches(*model, 1);
    const std::vector<std::vector<int32_t>> other = {{ids[0], ids[1], ids[5], ids[4], ids[3]}};
    Forward(*model, other, replay);
    replay[0].Truncate(2);
    const std::vector<std::vector<int32_t>> rest = {{ids.begin() + 2, ids.end()}};
    const Floats replayed = Forward(*model, rest, replay);
    ASSERT_TRUE(
        std::equal(replayed.begin(), replayed.end(),
                   expected.begin() + static_cast<std::ptrdiff_t>(2 * model->info().hidden_size)));

    // In a batch of sequences of other lengths.
    std::vector<std::vector<int32_t>> batch = {
        {ids[3], ids[4]}, ids, {ids[7]}, {ids.begin(), ids.begin() + 9}};
    auto many = Caches(*model, batch.size());
    const Floats together = Forward(*model, batch, many);
    const size_t from = 2 * model->info().hidden_size;
    ASSERT_TRUE(std::equal(expected.begin(), expected.end(),
                           together.begin() + static_cast<std::ptrdiff_t>(from)))
        << name;

    // Threads and instruction sets.
    for (const std::string& target : SupportedTargets()) {
      ASSERT_TRUE(ForceTarget(target).has_value());
      for (size_t threads : {1, 2, 3}) {
        ThreadPool pool(threads);
        const ThreadPool::Use use(pool);
        auto fresh = Caches(*model, 1);
        const Floats out = Forward(*model, whole, fresh);
        ASSERT_EQ(out, expected) << name << " " << target << " " << threads;
        ASSERT_EQ(LogitsOf(*model, out), expected_logits)
            << name << " " << target << " " << threads;
      }
    }
    ASSERT_TRUE(ForceTarget(SupportedTargets().front()).has_value());
  }
}

INSTANTIATE_TEST_SUITE_P(Compute, InvarianceTest, testing::Values(Compute::kF32, Compute::kAuto));

TEST(Loader, RotatedInt8StaysNearTheReference) {
  for (const std::string name : {"llama-smol", "bert-tiny"}) {
    const Golden golden(name);
    const auto model = Load(name + "/safetensors", Compute::kAuto);
    EXPECT_LT(WorstLayer(*model, golden), 0.5);
    EXPECT_GT(WorstLayer(*model, golden), 1e-4) << "this is not the integer path";
  }
}

TEST(Loader, AllFaultsInOneError) {
  const FileSet files = MapFolder(kGolden + "llama-gqa-tied/safetensors").value();
  Checkpoint checkpoint = OpenCheckpoint(files).value();
  checkpoint.tensors.erase("model.norm.weight");
  checkpoint.tensors["model.layers.1.mlp.up_proj.weight"].shape = {7, 32};
  const auto model = LoadModel(checkpoint, {});
  ASSERT_FALSE(model.has_value());
  const std::string& message = model.error().message;
  EXPECT_NE(message.find("2 faults"), std::string::npos) << message;
  EXPECT_NE(message.find("model.norm.weight is missing, expected (32)"), std::string::npos)
      << message;
  EXPECT_NE(message.find("model.layers.1.mlp.up_proj.weight: expected (72, 32), found (7, 32)"),
            std::string::npos)
      << message;
}

TEST(Loader, ConfigsThatCannotRunAreRefused) {
  const FileSet files = MapFolder(kGolden + "llama-gqa-tied/safetensors").value();
  const Checkpoint checkpoint = OpenCheckpoint(files).value();
  const auto error = [&](const char* key, const Json& value) {
    Checkpoint changed = checkpoint;
    changed.config[key] = value;
    const auto model = LoadModel(changed, {});
    return model.has_value() ? std::string("loaded") : model.error().message;
  };
  EXPECT_NE(
      error("model_type", "mamba").find("\"mamba\" is not known here: expected one of bert, llama"),
      std::string::npos);
  EXPECT_NE(error("hidden_act", "relu").find("hidden_act is \"relu\""), std::string::npos);
  EXPECT_NE(error("num_hidden_layers", -1).find("num_hidden_layers"), std::string::npos);
  EXPECT_NE(error("num_key_value_heads", 3).find("num_attention_heads 4, num_key_value_heads 3"),
            std::string::npos);
  EXPECT_NE(error("rope_scaling", Json{{"rope_type", "yarn"}}).find("\"yarn\""), std::string::npos);
  EXPECT_NE(error("vocab_size", 1 << 23).find("expected (8388608, 32)"), std::string::npos);
}

}  // namespace
}  // namespace dunnock
