// Calibration on tiny checkpoints: better than rounding to nearest on the inputs that it saw, and
// the same bits for any number of threads and wherever a run was stopped.

#include "pipeline/calibration/calibration.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <random>

#include "base/system/thread_pool.h"
#include "io/file.h"
#include "kernels/packing/pack.h"
#include "models/forward.h"
#include "models/loading/loader.h"
#include "pipeline/plan/nearest.h"

namespace dunnock {
namespace {

namespace fs = std::filesystem;

const std::string kGolden = DUNNOCK_SOURCE_DIR "/tests/golden/models/";

class CalibrationTest : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    folder_ =
        (fs::temp_directory_path() / ("dunnock_calibration_" + std::to_string(getpid()))).string();
    fs::remove_all(folder_);
    checkpoint_ = OpenCheckpoint(MapFolder(kGolden + GetParam() + "/safetensors").value()).value();
    plan_ = PlanBundle(checkpoint_, QuantizeFormat::kInt4, true, &notes_).value();
    options_.folder = folder_;
    const auto model = MakeModel(checkpoint_.config, &notes_).value();
    std::mt19937 random(7);
    for (size_t i = 0; i < 24; ++i) {
      auto& ids = options_.sequences.emplace_back(9 + i % 5);
      for (int32_t& id : ids) id = static_cast<int32_t>(random() % model->info().vocab_size);
    }
  }
  void TearDown() override { fs::remove_all(folder_); }

  Result<Calibrated> Run(size_t threads = 2) {
    ThreadPool pool(threads);
    const ThreadPool::Use use(pool);
    return Calibrate(checkpoint_, plan_, options_);
  }

  // The last hidden states of the sequences. `weights`: in place of the checkpoint's.
  std::vector<float> Hidden(const std::map<std::string, Weight>* weights) {
    const auto model =
        LoadModel(checkpoint_, {.compute = Compute::kF32, .notes = &notes_, .packed = weights})
            .value();
    std::vector<float> out;
    for (const auto& ids : options_.sequences) {
      KvCache cache(model->info().kv, ids.size());
      BatchBuilder batch;
      batch.Add(cache, ids);
      const size_t hidden = model->info().hidden_size;
      std::vector<float> rows(ids.size() * hidden);
      Scratch scratch;
      Forward(*model, {rows.data(), ids.size(), hidden}, batch.batch(), scratch);
      out.insert(out.end(), rows.begin(), rows.end());
    }
    return out;
  }

  static double Error(const std::vector<float>& a, const std::vector<float>& b) {
    double sum = 0, whole = 0;
    for (size_t i = 0; i < a.size(); ++i) {
      sum += (double{a[i]} - b[i]) * (double{a[i]} - b[i]);
      whole += double{a[i]} * a[i];
    }
    return sum / whole;
  }

  // The calibrated codes of `encoding` change the outputs less than those rounded to nearest.
  void ExpectCloser(WeightEncoding encoding) {
    const std::vector<float> original = Hidden(nullptr);
    const Calibrated calibrated = Run().value();
    // Everything else as it is: the tables and the head of both are the checkpoint's.
    std::map<std::string, Weight> nearest, weights;
    for (const PlannedTensor& t : plan_) {
      if (!calibrated.weights.contains(t.name) || t.form.encoding != encoding) continue;
      Weight packed = RoundedToNearest(t).value();
      packed.bias = calibrated.weights.at(t.name).bias;
      EXPECT_EQ(packed.rotation, t.form.rotation);
      EXPECT_EQ(calibrated.weights.at(t.name).rotation, t.form.rotation);
      nearest.emplace(t.name, packed);
      weights.emplace(t.name, calibrated.weights.at(t.name));
      EXPECT_GT(calibrated.losses.at(t.name).loss, 0) << t.name;
      EXPECT_GT(calibrated.losses.at(t.name).entropy, 2) << t.name;
      EXPECT_LE(calibrated.losses.at(t.name).entropy, 4) << t.name;
    }
    ASSERT_GT(weights.size(), 5u);
    const double before = Error(original, Hidden(&nearest)),
                 after = Error(original, Hidden(&weights));
    EXPECT_LT(after, .9 * before);
  }

  std::string folder_;
  Checkpoint checkpoint_;
  std::vector<PlannedTensor> plan_;
  std::vector<std::string> notes_;
  CalibrationOptions options_;
};

void ExpectEqual(const Calibrated& a, const Calibrated& b, const std::string& what) {
  ASSERT_EQ(a.weights.size(), b.weights.size()) << what;
  for (const auto& [name, weight] : a.weights) {
    const Weight& other = b.weights.at(name);
    EXPECT_EQ(weight.panels.text(), other.panels.text()) << what << ", " << name;
    EXPECT_EQ(weight.scales.text(), other.scales.text()) << what << ", " << name;
    EXPECT_EQ(weight.bias.text(), other.bias.text()) << what << ", " << name;
    EXPECT_EQ(a.losses.at(name).loss, b.losses.at(name).loss) << what << ", " << name;
  }
}

TEST_P(CalibrationTest, IsCloserToTheOriginalThanRoundingToNearest) {
  ExpectCloser(WeightEncoding::kInt4);
}

TEST_P(CalibrationTest, SoAreRotatedGroups) {
  plan_ = PlanBundle(checkpoint_, QuantizeFormat::kInt4Grouped, true, &notes_).value();
  size_t grouped = 0;
  for (const PlannedTensor& t : plan_) {
    if (!t.form.is_grouped()) continue;
    ++grouped;
    EXPECT_GT(t.form.rotation, 1u);
    EXPECT_FALSE(t.form.has_minimums);
  }
  // The columns of the other models are no multiples of 32.
  EXPECT_EQ(grouped > 5, GetParam() == "llama-gqa-tied" || GetParam() == "bert-tiny");
  if (grouped > 5) ExpectCloser(WeightEncoding::kInt4Grouped);
}

TEST_P(CalibrationTest, GivesTheSameBitsForAnyNumberOfThreads) {
  const Calibrated alone = Run(1).value();
  for (const size_t threads : {2, 3}) {
    fs::remove_all(folder_);
    ExpectEqual(Run(threads).value(), alone, std::to_string(threads) + " threads");
  }
}

TEST_P(CalibrationTest, GoesOnWhereItWasStopped) {
  const Calibrated whole = Run().value();
  fs::remove_all(folder_);
  std::atomic<bool> cancel = false;
  options_.cancel = &cancel;
  size_t stops = 0, allowed = 1, steps = 0;
  options_.progress = [&](const Progress& p) {
    EXPECT_LE(p.done, p.total);
    if (++steps == allowed) cancel = true;
  };
  for (;; ++stops) {
    steps = 0;
    cancel = false;
    const auto result = Run();
    if (result) {
      ExpectEqual(*result, whole, "after " + std::to_string(stops) + " stops");
      break;
    }
    EXPECT_EQ(result.error().code, ErrorCode::kCancelled);
    ++allowed;  // it gets a little further each time
    ASSERT_LT(stops, 100u);
  }
  EXPECT_GT(stops, 2u);
}

TEST_P(CalibrationTest, StartsAnewForAnotherText) {
  ASSERT_TRUE(Run().has_value());
  options_.sequences.front().front() ^= 1;
  const Calibrated after = Run().value();
  fs::remove_all(folder_);
  ExpectEqual(after, Run().value(), "another text");
}

TEST_P(CalibrationTest, RefusesWhatTheModelCannotRead) {
  options_.sequences.front().front() = 1 << 30;
  EXPECT_EQ(Run().error().code, ErrorCode::kInvalid);
  options_.sequences.front().assign(100'000, 1);
  EXPECT_EQ(Run().error().code, ErrorCode::kInvalid);
  options_.sequences.clear();
  EXPECT_EQ(Run().error().code, ErrorCode::kInvalid);
}

INSTANTIATE_TEST_SUITE_P(Models, CalibrationTest,
                         testing::Values("llama-gqa-tied", "llama-mha-untied", "openelm-270m",
                                         "bert-tiny"),
                         [](const auto& info) {
                           std::string name = info.param;
                           for (char& c : name)
                             if (c == '-') c = '_';
                           return name;
                         });

}  // namespace
}  // namespace dunnock
