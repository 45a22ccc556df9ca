// Choosing forms for a size: the choice is the best of all, sizes are kept, and what is measured is
// what rounding one matrix costs.

#include "pipeline/sizes/mix.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <filesystem>
#include <random>

#include "base/str.h"
#include "io/file.h"
#include "models/forward.h"
#include "models/loading/loader.h"
#include "pipeline/plan/nearest.h"
#include "pipeline/quantize.h"
#include "pipeline/sizes/sensitivity.h"

namespace dunnock {
namespace {

namespace fs = std::filesystem;

const std::string kGolden = DUNNOCK_SOURCE_DIR "/tests/golden/models/";

struct Tiny {
  explicit Tiny(const std::string& name, bool calibrated = false)
      : files(MapFolder(kGolden + name + "/safetensors").value()),
        checkpoint(OpenCheckpoint(files).value()),
        plan(PlanBundle(checkpoint, QuantizeFormat::kInt4, calibrated, &notes).value()) {}

  std::vector<std::string> notes;
  FileSet files;
  Checkpoint checkpoint;
  std::vector<PlannedTensor> plan;
};

std::vector<std::vector<int32_t>> RandomSequences(size_t vocabulary, size_t count, size_t tokens) {
  std::mt19937 random(3);
  std::vector<std::vector<int32_t>> out(count, std::vector<int32_t>(tokens));
  for (auto& ids : out) {
    for (int32_t& id : ids) id = static_cast<int32_t>(random() % vocabulary);
  }
  return out;
}

bool IsMatrix(const PlannedTensor& t) { return t.kind == PlannedTensor::kMatrix; }

// The loss and the bytes of a plan as the mix sees them.
std::pair<double, double> CostOf(const Mix& mix, const std::vector<PlannedTensor>& plan) {
  double loss = 0, bytes = 0;
  for (const PlannedTensor& t : plan) {
    if (!IsMatrix(t)) continue;
    for (const MixChoice& c : mix.choices(t.name)) {
      if (c.encoding != t.form.encoding || c.step.rule != t.step.rule || c.step.size != t.step.size)
        continue;
      loss += c.loss;
      bytes += c.bytes;
    }
  }
  return {loss, bytes};
}

TEST(Mix, NoOtherChoiceOfThoseBytesLosesLess) {
  Tiny tiny("llama-gqa-tied");
  std::erase_if(tiny.plan, [](const PlannedTensor& t) { return !IsMatrix(t); });
  tiny.plan.resize(3);
  std::map<std::string, double> losses;
  double loss = 1;
  for (const PlannedTensor& t : tiny.plan) losses[t.name] = loss *= 5;
  for (const Codec codec : {Codec::kRaw, Codec::kRans}) {
    const Mix mix = Mix::Make(tiny.plan, losses, codec, false).value();
    for (const double share : {1.01, 1.3, 1.7, 2.5}) {
      const auto room = static_cast<uint64_t>(share * static_cast<double>(mix.least_bytes()));
      mix.Fit(tiny.plan, room);
      const auto [found, bytes] = CostOf(mix, tiny.plan);
      EXPECT_LE(bytes, static_cast<double>(room));
      double best = INFINITY;
      for (const MixChoice& a : mix.choices(tiny.plan[0].name)) {
        for (const MixChoice& b : mix.choices(tiny.plan[1].name)) {
          for (const MixChoice& c : mix.choices(tiny.plan[2].name)) {
            if (a.bytes + b.bytes + c.bytes <= bytes)
              best = std::min(best, a.loss + b.loss + c.loss);
          }
        }
      }
      EXPECT_NEAR(found, best, 1e-9 * best);
    }
  }
}

TEST(Mix, WhatCostsMoreGetsMoreBits) {
  Tiny tiny("llama-gqa-tied");
  std::map<std::string, double> losses;
  const std::string dear = "model.layers.0.mlp.up_proj", cheap = "model.layers.0.mlp.gate_proj",
                    unknown = "model.layers.0.mlp.down_proj";
  for (const PlannedTensor& t : tiny.plan) losses[t.name] = 1;
  losses[dear] = 100;
  losses[unknown] = 0;
  const Mix mix = Mix::Make(tiny.plan, losses, Codec::kRans, false).value();
  mix.Fit(tiny.plan, mix.least_bytes() * 3 / 2);
  std::map<std::string, const PlannedTensor*> by_name;
  for (const PlannedTensor& t : tiny.plan) by_name[t.name] = &t;
  const auto bytes_of = [&](const std::string& name) {
    const Weight weight = RoundedToNearest(*by_name.at(name)).value();
    return weight.panels.size();
  };
  EXPECT_GE(bytes_of(dear), bytes_of(cheap));
  EXPECT_TRUE(by_name.at(dear)->form.encoding != by_name.at(cheap)->form.encoding ||
              by_name.at(dear)->step.size < by_name.at(cheap)->step.size);
  EXPECT_EQ(by_name.at(unknown)->form.encoding, WeightEncoding::kInt8);
}

TEST(Mix, NarrowKeepsLayersToInt4) {
  Tiny tiny("llama-mha-untied");
  std::map<std::string, double> losses;
  for (const PlannedTensor& t : tiny.plan) losses[t.name] = 1;
  const Mix mix = Mix::Make(tiny.plan, losses, Codec::kRans, true).value();
  mix.Fit(tiny.plan, 100 * mix.least_bytes());
  for (const PlannedTensor& t : tiny.plan) {
    if (!IsMatrix(t)) continue;
    EXPECT_EQ(t.form.encoding, t.outside_layers ? WeightEncoding::kInt8 : WeightEncoding::kInt4)
        << t.name;
  }
}

// The head's loss beside the same computed without the measuring code.
TEST(Sensitivity, IsTheDivergenceThatOneMatrixCauses) {
  Tiny tiny("llama-mha-untied");
  const auto model = MakeModel(tiny.checkpoint.config, &tiny.notes).value();
  const ModelInfo info = model->info();
  SensitivityOptions options;
  options.sequences = RandomSequences(info.vocab_size, 2, 12);
  const auto losses = MeasureSensitivity(tiny.checkpoint, tiny.plan, options).value();
  for (const PlannedTensor& t : tiny.plan) {
    if (IsMatrix(t)) {
      EXPECT_GT(losses.at(t.name), 0) << t.name;
    }
  }

  std::map<std::string, Weight> weights;
  for (const PlannedTensor& t : tiny.plan) {
    if (IsMatrix(t)) weights.emplace(t.name, RoundedToInt8(t).value());
  }
  const auto outputs = [&] {
    const auto loaded =
        LoadModel(tiny.checkpoint, {.packed = &weights, .packed_tables = true}).value();
    std::vector<float> out;
    size_t row = 0;
    for (const auto& ids : options.sequences) {
      KvCache cache(info.kv, ids.size(), KvEncoding::kInt8);
      BatchBuilder batch;
      batch.Add(cache, ids);
      std::vector<float> hidden(ids.size() * info.hidden_size),
          logits(ids.size() * info.vocab_size);
      Scratch scratch;
      Forward(*loaded, {hidden.data(), ids.size(), info.hidden_size}, batch.batch(), scratch);
      loaded->Logits({logits.data(), ids.size(), info.vocab_size},
                     {hidden.data(), ids.size(), info.hidden_size});
      for (size_t i = 0; i < ids.size(); ++i, ++row) {
        if (row % 4 != 3) continue;
        const auto from = logits.begin() + static_cast<ptrdiff_t>(i * info.vocab_size);
        out.insert(out.end(), from, from + static_cast<ptrdiff_t>(info.vocab_size));
      }
    }
    return out;
  };
  const std::vector<float> original = outputs();
  for (PlannedTensor t : tiny.plan) {
    if (t.name != "lm_head") continue;
    SetRowForm(&t, WeightEncoding::kInt4, {});
    weights["lm_head"] = RoundedToNearest(t).value();
  }
  const std::vector<float> rounded = outputs();
  double divergence = 0;
  for (size_t at = 0; at < original.size(); at += info.vocab_size) {
    double p_sum = 0, q_sum = 0;
    for (size_t i = at; i < at + info.vocab_size; ++i) {
      p_sum += std::exp(double{original[i]});
      q_sum += std::exp(double{rounded[i]});
    }
    for (size_t i = at; i < at + info.vocab_size; ++i) {
      const double p = std::exp(double{original[i]}) / p_sum;
      divergence += p * std::log(p / (std::exp(double{rounded[i]}) / q_sum));
    }
  }
  divergence /= static_cast<double>(original.size() / info.vocab_size);
  EXPECT_NEAR(losses.at("lm_head"), divergence, 1e-3 * divergence);
}

QuantizeOptions With(QuantizeFormat format, Codec codec, double bits) {
  QuantizeOptions options;
  options.format = format;
  options.codec = codec;
  options.bits = bits;
  options.replace = true;
  return options;
}

class SizeTest : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    folder_ = (fs::temp_directory_path() / Str("dunnock_size_", getpid())).string();
    fs::remove_all(folder_);
  }
  void TearDown() override { fs::remove_all(folder_); }

  std::string folder_;
};

TEST_P(SizeTest, IsKept) {
  const FileSet files = MapFolder(kGolden + GetParam() + "/safetensors").value();
  for (const Codec codec : {Codec::kRaw, Codec::kRans}) {
    // Between the sizes of two formats, the headers of such small files included.
    const auto bits_of = [&](QuantizeFormat format) {
      return Quantize(files, folder_, With(format, codec, 0)).value().bits_per_weight();
    };
    const double least = bits_of(QuantizeFormat::kInt4), most = bits_of(QuantizeFormat::kInt8);
    uint64_t before = 0;
    for (const double share : {.75, 1.0, 1.25}) {
      const QuantizeOptions options =
          With(QuantizeFormat::kMixed, codec, least + share * (most - least));
      const auto report = Quantize(files, folder_, options);
      ASSERT_TRUE(report.has_value()) << report.error().message;
      EXPECT_LE(report->bits_per_weight(), options.bits);
      EXPECT_EQ(report->manifest.quantization, "mixed");
      EXPECT_GT(report->bundle_bytes, before);
      before = report->bundle_bytes;
    }
  }
}

TEST_P(SizeTest, ThatCannotBeKeptIsRefused) {
  const FileSet files = MapFolder(kGolden + GetParam() + "/safetensors").value();
  const auto report = Quantize(files, folder_, With(QuantizeFormat::kMixed, Codec::kRans, 1));
  ASSERT_FALSE(report.has_value());
  EXPECT_EQ(report.error().code, ErrorCode::kLimit);
  EXPECT_NE(report.error().message.find("at least"), std::string::npos);
  EXPECT_FALSE(FileExists(folder_));
}

INSTANTIATE_TEST_SUITE_P(Models, SizeTest, testing::Values("llama-gqa-tied", "llama-mha-untied"),
                         [](const auto& info) {
                           std::string name = info.param;
                           for (char& c : name)
                             if (c == '-') c = '_';
                           return name;
                         });

}  // namespace
}  // namespace dunnock
