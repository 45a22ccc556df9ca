// What calibration gathers: x^T x of every product's input, beside numpy's from the reference's own
// inputs (tools/golden/make_golden.py hessians), for one thread and for several, and without
// changing a bit of the result.

#include "kernels/observer.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <map>
#include <mutex>

#include "base/system/thread_pool.h"
#include "io/file.h"
#include "models/forward.h"

namespace dunnock {
namespace {

const std::string kGolden = DUNNOCK_SOURCE_DIR "/tests/golden/models/";

// Sums x^T x (cols, cols) by weight; products may come from several threads at once.
class Gather final : public ProductObserver, public WeightVisitor {
 public:
  explicit Gather(Model& model) { model.VisitWeights(*this); }

  void Linear(const std::string& name, Weight* weight, size_t, size_t, Bias, RowSlice) override {
    names_[weight] = name;
  }
  void Vector(const std::string&, std::vector<float>*, size_t) override {}
  void Embedding(const std::string&, Table*, size_t, size_t) override {}

  void See(std::span<const Weight* const> weights, ConstRows x) override {
    const std::lock_guard lock(mutex_);
    for (const Weight* weight : weights) Add(weight, x);
  }
  void Add(const Weight* weight, ConstRows x) {
    std::vector<double>& sum = sums_[weight];
    sum.resize(x.cols * x.cols);
    rows_[weight] += x.count;
    for (size_t t = 0; t < x.count; ++t) {
      for (size_t i = 0; i < x.cols; ++i)
        for (size_t j = 0; j < x.cols; ++j) sum[i * x.cols + j] += double{x[t][i]} * x[t][j];
    }
  }

  const std::map<const Weight*, std::string>& names() const { return names_; }
  const std::vector<double>& sum(const Weight* weight) { return sums_[weight]; }
  size_t rows(const Weight* weight) { return rows_[weight]; }

 private:
  std::mutex mutex_;
  std::map<const Weight*, std::string> names_;
  std::map<const Weight*, std::vector<double>> sums_;
  std::map<const Weight*, size_t> rows_;
};

Checkpoint Open(const std::string& path) {
  FileSet files;
  files["model.safetensors"] = MapFile(path).value();
  return OpenCheckpoint(files).value();
}

std::vector<int32_t> Ints(const Checkpoint& checkpoint, const std::string& name) {
  const auto it = checkpoint.tensors.find(name);
  if (it == checkpoint.tensors.end()) return {};
  std::vector<int32_t> out(it->second.rows() * it->second.cols());
  std::memcpy(out.data(), it->second.bytes.data(), it->second.bytes.size());
  return out;
}

class ProductObserverTest : public testing::TestWithParam<std::string> {};

TEST_P(ProductObserverTest, SeesWhatTheReferenceMultiplies) {
  const std::string folder = kGolden + GetParam();
  const Checkpoint golden = Open(folder + "/golden.safetensors");
  const Checkpoint expected = Open(folder + "/hessians.safetensors");
  const std::vector<int32_t> ids = Ints(golden, "ids"), types = Ints(golden, "type_ids");
  const Checkpoint checkpoint = OpenCheckpoint(MapFolder(folder + "/safetensors").value()).value();
  for (const Compute compute : {Compute::kF32, Compute::kAuto}) {
    // What layers of 8-bit codes make of a tiny model is that far from it in the third.
    const double tolerance = compute == Compute::kF32 ? 1e-5 : .1;
    const std::unique_ptr<Model> model = LoadModel(checkpoint, {compute, {}}).value();
    for (const size_t threads : {1, 3}) {
      ThreadPool pool(threads);
      const ThreadPool::Use use(pool);
      const auto run = [&](const Watch& watch) {
        KvCache cache(model->info().kv, ids.size());
        BatchBuilder batch;
        batch.Add(cache, ids, types);
        std::vector<float> hidden(ids.size() * model->info().hidden_size);
        Scratch scratch;
        EXPECT_TRUE(Forward(*model, {hidden.data(), ids.size(), model->info().hidden_size},
                            batch.batch(), scratch, watch));
        return hidden;
      };
      const std::vector<float> alone = run({});
      Gather gather(*model);
      EXPECT_EQ(run({.products = &gather}), alone);
      EXPECT_EQ(CurrentProductObserver(), nullptr);

      size_t compared = 0;
      for (const auto& [weight, name] : gather.names()) {
        const auto it = expected.tensors.find(name);
        if (it == expected.tensors.end()) {
          EXPECT_EQ(gather.rows(weight), 0u) << name;  // a head or a pooler: not of this pass
          continue;
        }
        const Tensor& tensor = it->second;
        std::vector<float> want(tensor.rows() * tensor.cols());
        ASSERT_TRUE(DecodeRows(tensor, 0, tensor.rows(), want));
        ASSERT_EQ(gather.rows(weight), ids.size()) << name;
        ASSERT_EQ(gather.sum(weight).size(), want.size()) << name;
        double worst = 0, largest = 0;
        for (size_t i = 0; i < want.size(); ++i) {
          worst = std::max(worst, std::fabs(gather.sum(weight)[i] - want[i]));
          largest = std::max(largest, double{std::fabs(want[i])});
        }
        EXPECT_LT(worst, tolerance * largest) << name << ", " << threads << " threads";
        ++compared;
      }
      EXPECT_GE(compared, expected.tensors.size());
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Models, ProductObserverTest,
                         testing::Values("llama-gqa-tied", "openelm-270m", "bert-tiny"));

}  // namespace
}  // namespace dunnock
