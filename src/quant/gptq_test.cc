// Calibrated rounding beside numpy's GPTQ, which is written from the papers with an inverse and in
// float64 (tools/golden/make_quant_golden.py), and what must hold for any weights.

#include "quant/gptq.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <random>

#include "base/json.h"
#include "base/system/thread_pool.h"
#include "io/file.h"
#include "kernels/activations.h"
#include "kernels/target.h"

namespace dunnock {
namespace {

using Floats = std::vector<float>;

struct Matrix {
  Floats values;
  size_t cols = 0;
  ConstRows rows() const { return {values.data(), values.size() / cols, cols}; }
};

Matrix MatrixOf(const Json& lists, float unit) {
  Matrix out;
  for (const Json& list : lists) {
    for (const Json& v : list) out.values.push_back(v.get<float>() * unit);
    out.cols = list.size();
  }
  return out;
}

struct Golden {
  Json json;
  Matrix weights, original, inputs;
};
const Golden& TheGolden() {
  static const Golden golden = [] {
    const Blob file = MapFile(DUNNOCK_SOURCE_DIR "/tests/cases/gptq.json").value();
    const ByteSpan bytes = file.bytes();
    Golden out{
        ParseJson({reinterpret_cast<const char*>(bytes.data()), bytes.size()}).value(), {}, {}, {}};
    out.weights = MatrixOf(out.json["weights"], 1 / 16.0f);
    out.original = MatrixOf(out.json["original"], 1 / 16.0f);
    out.inputs = MatrixOf(out.json["inputs"], 1 / 16.0f);
    return out;
  }();
  return golden;
}

// Rows whose columns depend on each other and differ in size.
Matrix Correlated(size_t rows, size_t cols, uint32_t seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  Floats mix(8 * cols);
  for (float& v : mix) v = normal(random);
  Matrix out{Floats(rows * cols), cols};
  for (size_t r = 0; r < rows; ++r) {
    float few[8];
    for (float& v : few) v = normal(random);
    for (size_t k = 0; k < cols; ++k) {
      float v = normal(random);
      for (size_t i = 0; i < 8; ++i) v += few[i] * mix[i * cols + k];
      out.values[r * cols + k] = v * (k % 7 == 0 ? 4.0f : 1.0f);
    }
  }
  return out;
}

Matrix Difference(const Matrix& a, const Matrix& b) {
  Matrix out = a;
  for (size_t i = 0; i < out.values.size(); ++i) out.values[i] -= b.values[i];
  return out;
}

Matrix Normal(size_t rows, size_t cols, uint32_t seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  Matrix out{Floats(rows * cols), cols};
  for (float& v : out.values) v = normal(random);
  return out;
}

SquareMatrix Identity(size_t cols) {
  SquareMatrix out(cols);
  for (size_t k = 0; k < cols; ++k) out[k][k] = 1;
  return out;
}

// x^T x and other^T x in float64.
SquareMatrix ExactCross(const Matrix& other, const Matrix& x) {
  SquareMatrix out(x.cols);
  for (size_t t = 0; t < x.rows().count; ++t) {
    for (size_t i = 0; i < x.cols; ++i)
      for (size_t j = 0; j < x.cols; ++j) out[i][j] += double{other.rows()[t][i]} * x.rows()[t][j];
  }
  return out;
}
SquareMatrix ExactHessian(const Matrix& x) { return ExactCross(x, x); }

TEST(Golden, HessianAndCrossTermAreNumpys) {
  const Golden& golden = TheGolden();
  Hessian hessian(golden.inputs.cols, 1);
  CrossTerm cross(golden.inputs.cols, 1);
  hessian.Add(golden.inputs.rows());
  cross.Add(golden.original.rows(), golden.inputs.rows());
  EXPECT_EQ(hessian.tokens(), golden.inputs.rows().count);
  const SquareMatrix exact = ExactHessian(golden.inputs),
                     exact_cross = ExactCross(golden.original, golden.inputs);
  for (size_t k = 0; k < golden.inputs.cols; ++k) {
    const auto expected = golden.json["hessian_row"][k].get<double>();
    EXPECT_EQ(exact[5][k], expected) << k;
    EXPECT_EQ(exact_cross[5][k], golden.json["cross_row"][k].get<double>()) << k;
    // Rounded to 8 bits.
    const double size = std::sqrt(exact[5][5] * exact[k][k]);
    EXPECT_NEAR(hessian.Sum()[5][k], expected, .01 * size) << k;
    EXPECT_NEAR(hessian.Sum()[k][5], hessian.Sum()[5][k], 1e-6 * size) << k;
    EXPECT_NEAR(cross.Sum()[5][k], exact_cross[5][k], .02 * size) << k;
  }
}

TEST(Golden, CodesScalesAndLossesAreNumpys) {
  const Golden& golden = TheGolden();
  const SquareMatrix hessian = ExactHessian(golden.inputs);
  ASSERT_EQ(golden.json["cases"].size(), 5u);
  for (const Json& c : golden.json["cases"]) {
    const Grid grid{c["bits"].get<int>(),
                    c["group"].get<size_t>(),
                    {Step::kRms, golden.json["step"].get<float>()}};
    SCOPED_TRACE(DumpJson(Json{{"bits", grid.bits}, {"group", grid.group}}));
    const HessianFactor factor = FactorOf(hessian, {golden.json["damping"].get<double>(),
                                                    c["by_diagonal"].get<bool>(), grid.group})
                                     .value();
    Codes codes = RoundCalibrated(golden.weights.rows(), factor, grid);
    for (size_t row = 0; row < codes.rows; ++row) {
      for (size_t k = 0; k < codes.cols; ++k)
        ASSERT_EQ(codes.step(row, k), c["codes"][row][k].get<int>()) << row << ", " << k;
      for (size_t g = 0; g < codes.cols / codes.group(); ++g) {
        const float expected = c["scales"][row][g].get<float>();
        ASSERT_NEAR(codes.scale(row, g * codes.group()), expected, 2e-7f * expected);
      }
    }
    EXPECT_NEAR(LossOf(golden.weights.rows(), codes, hessian), c["loss"].get<double>(), 1e-8);
    if (!c.contains("refitted")) continue;
    RefitScales(codes, golden.weights.rows(), hessian);
    for (size_t row = 0; row < codes.rows; ++row) {
      const float expected = c["refitted"][row].get<float>();
      EXPECT_NEAR(codes.scales[row], expected, 2e-6f * expected) << row;
    }
    EXPECT_NEAR(LossOf(golden.weights.rows(), codes, hessian), c["refitted_loss"].get<double>(),
                1e-8);
  }
}

TEST(Golden, CompensationIsNumpys) {
  const Golden& golden = TheGolden();
  const SquareMatrix hessian = ExactHessian(golden.inputs),
                     drift = ExactCross(Difference(golden.original, golden.inputs), golden.inputs);
  for (const bool by_diagonal : {true, false}) {
    const HessianFactor factor =
        FactorOf(hessian, {golden.json["damping"].get<double>(), by_diagonal, 0}).value();
    const Floats moved =
        CompensateDrift(golden.weights.rows(), drift, factor, golden.json["share"].get<double>());
    const Matrix expected = MatrixOf(golden.json["compensated"], 1);
    for (size_t i = 0; i < moved.size(); ++i)
      ASSERT_NEAR(moved[i], expected.values[i], 2e-6f * (1 + std::fabs(moved[i]))) << i;
  }
}

TEST(CompensateDrift, LeavesWeightsWithoutDrift) {
  const Matrix weights = Normal(20, 48, 1), x = Correlated(200, 48, 2);
  Hessian hessian(48, 16);
  CrossTerm cross(48, 16);
  hessian.Add(x.rows());
  cross.Add(Difference(x, x).rows(), x.rows());
  const HessianFactor factor = FactorOf(hessian.Sum(), {}).value();
  EXPECT_EQ(CompensateDrift(weights.rows(), cross.Sum(), factor, 1), weights.values);
}

TEST(Hessian, DependsOnRowsAlone) {
  constexpr size_t kRows = 1300;
  const Matrix x = Correlated(kRows, 48, 3);
  Hessian whole(48, 16), parts(48, 16);
  whole.Add(x.rows());
  for (const auto& [begin, end] : {std::pair{0, 1}, {1, 1030}, {1030, 1031}, {1031, 1300}})
    parts.Add(x.rows().Part(begin, end));
  // Rotated by hand, in float64.
  Floats rotated = x.values;
  for (size_t t = 0; t < kRows; ++t) Rotate(&rotated[t * 48], 48, 16);
  const SquareMatrix exact = ExactHessian({rotated, 48});
  for (size_t i = 0; i < 48; ++i) {
    EXPECT_EQ(std::memcmp(whole.Sum()[i], parts.Sum()[i], 48 * sizeof(double)), 0);
    for (size_t j = 0; j < 48; ++j)
      EXPECT_NEAR(whole.Sum()[i][j], exact[i][j], .01 * std::sqrt(exact[i][i] * exact[j][j]));
  }
}

TEST(FactorOf, TimesItselfIsTheDampedHessian) {
  // More than one block of columns, and a last tile that is not full.
  const Matrix x = Correlated(400, 150, 4);
  const SquareMatrix h = ExactHessian(x);
  const HessianFactor factor = FactorOf(h, {.damping = 0.01}).value();
  std::vector<size_t> sorted = factor.order;
  std::sort(sorted.begin(), sorted.end());
  for (size_t k = 0; k < 150; ++k) {
    EXPECT_EQ(sorted[k], k);
    if (k > 0) {
      EXPECT_GE(h[factor.order[k]][factor.order[k]], h[factor.order[k - 1]][factor.order[k - 1]]);
    }
  }
  for (size_t i = 0; i < 150; ++i) {
    for (size_t j = 0; j < 150; ++j) {
      double sum = 0;
      for (size_t t = 0; t < 150; ++t) sum += factor.lower[i][t] * factor.lower[j][t];
      const double expected = h[factor.order[i]][factor.order[j]] + (i == j ? factor.damping : 0);
      EXPECT_NEAR(sum, expected, 1e-9 * h[factor.order[149]][factor.order[149]]);
      if (j > i) {
        EXPECT_EQ(factor.lower[i][j], 0);
      }
    }
  }
}

TEST(FactorOf, SaysWhatIsWrong) {
  const auto message = [](const Matrix& x, double damping) {
    Hessian hessian(x.cols, 1);
    hessian.Add(x.rows());
    const auto factor = FactorOf(hessian.Sum(), {.damping = damping});
    return factor ? std::string() : factor.error().message;
  };
  Matrix x = Correlated(20, 48, 5);  // fewer tokens than columns
  EXPECT_NE(message(x, 0).find("raise the damping"), std::string::npos);
  EXPECT_EQ(message(x, 0.01), "");
  EXPECT_NE(message({Floats(48), 48}, 0.01).find("all inputs are zero"), std::string::npos);
  x.values[7] = INFINITY;
  EXPECT_NE(message(x, 0.01).find("not finite"), std::string::npos);
}

TEST(RoundCalibrated, IsRoundingToNearestWhereInputsAreIndependent) {
  const Matrix weights = Normal(37, 96, 6);
  for (const size_t group : {0, 32}) {
    for (const int bits : {3, 4, 5, 6, 7, 8}) {
      const HessianFactor factor = FactorOf(Identity(96), {0.01, true, group}).value();
      const Grid grid{bits, group};
      const Codes nearest = RoundToNearest(weights.rows(), grid);
      const Codes codes = RoundCalibrated(weights.rows(), factor, grid);
      EXPECT_EQ(codes.codes, nearest.codes) << bits << " bits, group " << group;
      EXPECT_EQ(codes.scales, nearest.scales) << bits << " bits, group " << group;
    }
  }
}

TEST(RoundCalibrated, LosesLessAndRefittingNeverMore) {
  for (const size_t cols : {size_t{39}, size_t{256}}) {  // 39: no tile and no block is full
    const Matrix weights = Normal(45, cols, 7), x = Correlated(1000, cols, 8);
    Hessian hessian(cols, 1);
    hessian.Add(x.rows());
    for (const size_t group : {0, 32, 64, 128}) {
      if (group != 0 && cols % group != 0) continue;
      const HessianFactor factor = FactorOf(hessian.Sum(), {0.01, true, group}).value();
      for (const int bits : {3, 4, 5}) {
        const Grid grid{bits, group};
        Codes nearest = RoundToNearest(weights.rows(), grid);
        Codes codes = RoundCalibrated(weights.rows(), factor, grid);
        const double plain = LossOf(weights.rows(), nearest, hessian.Sum());
        const double calibrated = LossOf(weights.rows(), codes, hessian.Sum());
        EXPECT_LT(calibrated, 0.7 * plain) << bits << " bits, group " << group;
        for (Codes* c : {&nearest, &codes}) {
          const double before = LossOf(weights.rows(), *c, hessian.Sum());
          RefitScales(*c, weights.rows(), hessian.Sum());
          EXPECT_LE(LossOf(weights.rows(), *c, hessian.Sum()), before * (1 + 1e-12));
        }
      }
    }
  }
}

TEST(RoundCalibrated, KeepsWeightsThatCodesCanStandFor) {
  // Rows of multiples of a power of two that use the codes' whole range but its least: the largest
  // magnitude / 127 finds the scale of 8 bits exactly.
  std::mt19937 random(9);
  Matrix weights{Floats(20 * 64), 64};
  for (size_t i = 0; i < weights.values.size(); ++i) {
    const int code = i % 64 == 0 ? 127 : static_cast<int>(random() % 255) - 127;
    weights.values[i] = static_cast<float>(code) / 1024;
  }
  const Matrix x = Correlated(300, 64, 10);
  Hessian hessian(64, 1);
  hessian.Add(x.rows());
  const HessianFactor factor = FactorOf(hessian.Sum(), {}).value();
  Codes codes = RoundCalibrated(weights.rows(), factor, {.bits = 8});
  EXPECT_EQ(LossOf(weights.rows(), codes, hessian.Sum()), 0);
  RefitScales(codes, weights.rows(), hessian.Sum());
  EXPECT_EQ(LossOf(weights.rows(), codes, hessian.Sum()), 0);
}

TEST(RoundCalibrated, RowsOfZerosStayZeros) {
  const Matrix weights{Floats(17 * 48), 48}, x = Correlated(100, 48, 11);
  Hessian hessian(48, 1);
  hessian.Add(x.rows());
  const HessianFactor factor = FactorOf(hessian.Sum(), {.group = 16}).value();
  Codes codes = RoundCalibrated(weights.rows(), factor, {4, 16});
  RefitScales(codes, weights.rows(), hessian.Sum());
  for (size_t row = 0; row < codes.rows; ++row)
    for (size_t k = 0; k < codes.cols; ++k) ASSERT_EQ(codes.value(row, k), 0.0f);
  EXPECT_EQ(LossOf(weights.rows(), codes, hessian.Sum()), 0);
}

// Everything in a row, for any number of threads and on every target.
TEST(RoundCalibrated, HasTheSameBitsForAnyNumberOfThreads) {
  const Matrix weights = Normal(70, 160, 12), x = Correlated(500, 160, 13);
  Matrix original = x;
  for (size_t i = 0; i < original.values.size(); ++i)
    original.values[i] *= 1 + 0.1f * static_cast<float>(i % 5);
  std::vector<uint8_t> codes;
  Floats scales;
  double loss = 0;
  for (const std::string& target : SupportedTargets()) {
    ASSERT_TRUE(ForceTarget(target).has_value());
    for (const size_t threads : {1, 2, 3, 4}) {
      ThreadPool pool(threads);
      const ThreadPool::Use use(pool);
      Hessian hessian(160, 32);
      CrossTerm cross(160, 32);
      hessian.Add(x.rows());
      cross.Add(Difference(original, x).rows(), x.rows());
      const HessianFactor factor = FactorOf(hessian.Sum(), {.group = 32}).value();
      const Matrix target_weights{CompensateDrift(weights.rows(), cross.Sum(), factor, 0.5), 160};
      Codes out = RoundCalibrated(target_weights.rows(), factor, {3, 32});
      RefitScales(out, target_weights.rows(), hessian.Sum());
      const double lost = LossOf(target_weights.rows(), out, hessian.Sum());
      if (codes.empty()) {
        codes = out.codes;
        scales = out.scales;
        loss = lost;
      }
      EXPECT_EQ(out.codes, codes) << target << ", " << threads << " threads";
      EXPECT_EQ(out.scales, scales) << target << ", " << threads << " threads";
      EXPECT_EQ(lost, loss) << target << ", " << threads << " threads";
    }
  }
  ASSERT_TRUE(ForceTarget(SupportedTargets().front()).has_value());
}

}  // namespace
}  // namespace dunnock
