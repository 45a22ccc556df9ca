// Products with weights of every encoding beside a plain product in float64.

#include "kernels/matmul.h"

#include <gtest/gtest.h>

#include "base/str.h"
#include "kernels/norm.h"
#include "kernels/packing/pack.h"
#include "kernels/test_data.h"
#include "tensor/float16.h"

namespace dunnock {
namespace {

// x (n, cols) times the weight's decoded values, in float64.
Floats Reference(const Floats& x, const Weight& weight) {
  const size_t n = x.size() / weight.cols;
  Floats out(n * weight.rows), row(weight.cols);
  for (size_t r = 0; r < weight.rows; ++r) {
    UnpackRow(weight, r, row);
    for (size_t t = 0; t < n; ++t) {
      double sum = 0;
      for (size_t k = 0; k < weight.cols; ++k)
        sum += double{x[t * weight.cols + k]} * double{row[k]};
      out[t * weight.rows + r] = static_cast<float>(sum);
    }
  }
  return out;
}

Weight RandomWeight(const AffineForm& form, size_t rows, size_t cols, uint32_t seed) {
  return PackGrouped(form, rows, cols, [&](size_t row, const AffineRow& out) {
    std::mt19937 random(seed + static_cast<uint32_t>(row));
    for (uint8_t& code : out.codes) code = static_cast<uint8_t>(random() % (1 << form.code_bits));
    for (float& v : out.scales)
      v = Float16ToFloat(static_cast<uint16_t>(0x2000 + random() % 0x400));
    for (float& v : out.minimums)
      v = -Float16ToFloat(static_cast<uint16_t>(0x3000 + random() % 0x800));
    for (int8_t& v : out.scale_factors) v = static_cast<int8_t>(random() % 256);
    for (int8_t& v : out.minimum_factors) v = static_cast<int8_t>(random() % 64);
  });
}

Weight RandomWeight(WeightEncoding encoding, size_t rows, size_t cols, size_t group,
                    uint32_t seed) {
  if (encoding >= WeightEncoding::kInt8Grouped) {
    return RandomWeight({CodeBits(encoding), group, group, seed % 2 == 1}, rows, cols, seed);
  }
  const Floats values = Random(rows * cols, seed, 0.5f);
  return PackRows(encoding, rows, cols, [&](size_t row, std::span<float> out) {
    std::copy_n(values.data() + row * cols, cols, out.data());
  });
}

struct Case {
  WeightEncoding encoding;
  size_t rows, cols, group;
  double tolerance;  // error from rounding x to int8, relative to the largest output
};

// For many tokens, few and one, the result equals that of float64 up to the rounding of x, and has
// the same bits on every target.
void ExpectReference(const Weight& weight, double tolerance, bool fine = false) {
  const auto multiply = [&](Rows out, const ConstRows& x) {
    MatMul(out, fine ? Fine(x) : LeftOperand(x), weight);
  };
  for (size_t n : {1, 2, 3, 5, 7, 8, 9, 12, 14, 16, 21, 251}) {
    const Floats x = Random(n * weight.cols, 7);
    const Floats out = SameBitsEverywhere([&] {
      Floats y(n * weight.rows, -1.0f);
      multiply(View(y, weight.rows), View(x, weight.cols));
      return y;
    });
    const Floats expected = Reference(x, weight);
    double largest = 0;
    for (const float v : expected) largest = std::max(largest, std::fabs(double{v}));
    EXPECT_LT(WorstDifference(out, expected), tolerance * largest) << n << " tokens";
    // A row multiplied alone gives the same bits as among others.
    Floats alone(weight.rows);
    multiply(View(alone, weight.rows), {x.data() + (n - 1) * weight.cols, 1, weight.cols});
    EXPECT_EQ(
        std::memcmp(alone.data(), out.data() + (n - 1) * weight.rows, weight.rows * sizeof(float)),
        0);
  }
}

class MatMulTest : public testing::TestWithParam<Case> {};

TEST_P(MatMulTest, EqualsReferenceOnEveryTarget) {
  const Case& c = GetParam();
  for (uint32_t seed : {1, 2})
    ExpectReference(RandomWeight(c.encoding, c.rows, c.cols, c.group, seed), c.tolerance);
}

// The same tests for activations rounded twice: the error is about a hundred times smaller.
TEST(MatMul, FineIsNearlyExact) {
  for (const Weight& weight :
       {RandomWeight(WeightEncoding::kInt8, 37, 70, 0, 1),
        RandomWeight(WeightEncoding::kInt6, 48, 576, 0, 1),
        RandomWeight(WeightEncoding::kInt4, 20, 64, 0, 2),
        RandomWeight({4, 32, 32, true}, 37, 96, 3), RandomWeight({6, 16, 256, false}, 16, 256, 4),
        RandomWeight(WeightEncoding::kF32, 16, 24, 0, 5)}) {
    SCOPED_TRACE(NameOf(weight.encoding));
    ExpectReference(weight, 2e-4, true);
  }
}

// The affine forms of GGUF's quantization blocks of 256: Q4_K, Q5_K, Q2_K, Q6_K and Q3_K.
TEST(MatMul, FactorsOfABlocksScale) {
  for (const AffineForm& form : {AffineForm{4, 32, 256, true}, AffineForm{6, 32, 256, true},
                                 AffineForm{4, 16, 256, true}, AffineForm{6, 16, 256, false},
                                 AffineForm{4, 16, 256, false}, AffineForm{8, 16, 64, false}}) {
    SCOPED_TRACE(Str(form.code_bits, " bits, groups of ", form.group));
    ExpectReference(RandomWeight(form, 37, 512, 5), 0.02);
  }
}

// With groups the rotated row is rounded group by group.
TEST(MatMul, RotatedGroups) {
  for (const AffineForm& form :
       {AffineForm{4, 32, 32, false, 64}, AffineForm{4, 64, 64, true, 512},
        AffineForm{8, 128, 128, false, 128}, AffineForm{6, 16, 256, false, 16}}) {
    SCOPED_TRACE(Str(form.code_bits, " bits, groups of ", form.group));
    const Weight weight = RandomWeight(form, 37, 512, 6);
    EXPECT_EQ(weight.rotation, form.rotation);
    ExpectReference(weight, 0.02);
    ExpectReference(weight, 2e-4, true);
  }
}

INSTANTIATE_TEST_SUITE_P(Encodings, MatMulTest,
                         testing::Values(Case{WeightEncoding::kF32, 33, 40, 0, 1e-6},
                                         Case{WeightEncoding::kF32, 16, 7, 0, 1e-6},
                                         Case{WeightEncoding::kBF16, 50, 61, 0, 1e-6},
                                         Case{WeightEncoding::kInt8, 48, 384, 0, 0.02},
                                         Case{WeightEncoding::kInt8, 17, 36, 0, 0.03},
                                         Case{WeightEncoding::kInt8, 5, 101, 0, 0.03},
                                         Case{WeightEncoding::kInt6, 40, 576, 0, 0.02},
                                         Case{WeightEncoding::kInt6, 19, 70, 0, 0.03},
                                         Case{WeightEncoding::kInt4, 40, 576, 0, 0.02},
                                         Case{WeightEncoding::kInt4, 3, 50, 0, 0.03},
                                         Case{WeightEncoding::kInt4Grouped, 37, 64, 32, 0.02},
                                         Case{WeightEncoding::kInt4Grouped, 16, 256, 128, 0.02},
                                         Case{WeightEncoding::kInt4Grouped, 20, 96, 16, 0.02},
                                         Case{WeightEncoding::kInt6Grouped, 37, 96, 32, 0.02},
                                         Case{WeightEncoding::kInt6Grouped, 16, 64, 16, 0.02},
                                         Case{WeightEncoding::kInt8Grouped, 37, 96, 32, 0.02},
                                         Case{WeightEncoding::kInt8Grouped, 16, 64, 16, 0.02}));

// Integer sums are exact: if int8 holds the activations exactly, only float32 rounds.
TEST(MatMul, IntegerSumsAreExactAtTheExtremes) {
  for (const size_t bits : {4, 6, 8}) {
    const size_t cols = 128, rows = 16;
    const Weight weight =
        PackGrouped({bits, 32, 32, false}, rows, cols, [&](size_t row, const AffineRow& out) {
          for (uint8_t& code : out.codes)
            code = static_cast<uint8_t>(row % 2 == 0 ? (1 << bits) - 1 : 0);
          for (float& v : out.scales) v = 1.0f;
        });
    for (const float sign : {1.0f, -1.0f}) {
      const Floats x(cols, sign * 127.0f);
      const Floats out = SameBitsEverywhere([&] {
        Floats y(rows);
        MatMul(View(y, rows), View(x, cols), weight);
        return y;
      });
      EXPECT_EQ(WorstDifference(out, Reference(x, weight)), 0.0);
    }
  }
}

TEST(MatMul, BiasAddGeluAndSwiGlu) {
  const size_t rows = 37, cols = 40, n = 5;
  Weight gate = RandomWeight(WeightEncoding::kF32, rows, cols, 0, 3);
  const Weight up = RandomWeight(WeightEncoding::kF32, rows, cols, 0, 4);
  const Floats bias = Random(rows, 5), x = Random(n * cols, 6);
  SetBias(&gate, bias);
  Floats g = Reference(x, gate);
  for (size_t i = 0; i < g.size(); ++i) g[i] += bias[i % rows];
  const Floats u = Reference(x, up);
  Floats added = Random(n * rows, 8), gelu(n * rows), swiglu(n * rows);
  Floats want_added = added;
  MatMulAdd(View(added, rows), View(x, cols), gate);
  GeluMatMul(View(gelu, rows), View(x, cols), gate);
  SwiGluMatMul(View(swiglu, rows), View(x, cols), gate, up);
  for (size_t i = 0; i < g.size(); ++i) {
    const double v = g[i];
    EXPECT_NEAR(added[i], want_added[i] + v, 1e-5);
    EXPECT_NEAR(gelu[i], 0.5 * v * (1 + std::erf(v / std::sqrt(2.0))), 1e-5);
    EXPECT_NEAR(swiglu[i], v / (1 + std::exp(-v)) * u[i], 1e-5);
  }
}

// In a GGUF file the two may have different types.
TEST(MatMul, GateAndUpOfTwoEncodings) {
  const size_t rows = 40, cols = 96;
  const Weight weights[] = {RandomWeight(WeightEncoding::kInt8, rows, cols, 0, 3),
                            RandomWeight({4, 32, 32, true}, rows, cols, 4),
                            RandomWeight({6, 16, 32, false}, rows, cols, 5),
                            RandomWeight(WeightEncoding::kF32, rows, cols, 0, 6)};
  for (const Weight& gate : weights) {
    for (const Weight& up : weights) {
      for (const size_t n : {1, 9}) {
        const Floats x = Random(n * cols, 6, 0.1f);
        const Floats out = SameBitsEverywhere([&] {
          Floats y(n * rows);
          SwiGluMatMul(View(y, rows), View(x, cols), gate, up);
          return y;
        });
        Floats g(n * rows), u(n * rows);
        MatMul(View(g, rows), View(x, cols), gate);
        MatMul(View(u, rows), View(x, cols), up);
        for (size_t i = 0; i < out.size(); ++i) {
          const double expected = g[i] / (1 + std::exp(-double{g[i]})) * u[i];
          EXPECT_NEAR(out[i], expected, 1e-5 * (1 + std::fabs(expected)));
        }
      }
    }
  }
}

TEST(MatMul, SeveralProjectionsEqualEachAlone) {
  const size_t cols = 64, n = 3;
  const Weight a = RandomWeight(WeightEncoding::kInt8, 40, cols, 0, 1);
  const Weight b = RandomWeight(WeightEncoding::kInt4Grouped, 16, cols, 32, 2);
  const Weight c = RandomWeight(WeightEncoding::kF32, 33, cols, 0, 3);
  const Floats x = Random(n * cols, 9);
  Floats all, alone;
  const auto run = [&](bool together) {
    Floats ya(n * 40), yb(n * 16), yc(n * 33);
    if (together) {
      MatMul({{View(ya, 40), a}, {View(yb, 16), b}, {View(yc, 33), c}}, View(x, cols));
    } else {
      MatMul(View(ya, 40), View(x, cols), a);
      MatMul(View(yb, 16), View(x, cols), b);
      MatMul(View(yc, 33), View(x, cols), c);
    }
    ya.insert(ya.end(), yb.begin(), yb.end());
    ya.insert(ya.end(), yc.begin(), yc.end());
    return ya;
  };
  EXPECT_EQ(SameBitsEverywhere([&] { return run(true); }), run(false));
}

TEST(MatMul, OfANormEqualsTheNormThenTheProduct) {
  const size_t cols = 96, n = 9;
  const Floats x = Random(n * cols, 21), norm = Random(cols, 22);
  for (const WeightEncoding encoding :
       {WeightEncoding::kF32, WeightEncoding::kInt8, WeightEncoding::kInt4Grouped}) {
    const Weight gate = RandomWeight(encoding, 40, cols, 32, 3);
    const Weight up = RandomWeight(encoding, 40, cols, 32, 4);
    const auto run = [&](bool fused) {
      Floats projected(n * 40), gated(n * 40), normed(n * cols);
      RmsNorm(View(normed, cols), View(x, cols), norm, 1e-5f);
      const LeftOperand left =
          fused ? RmsNormed(View(x, cols), norm, 1e-5f) : LeftOperand(View(normed, cols));
      MatMul(View(projected, 40), left, gate);
      SwiGluMatMul(View(gated, 40), left, gate, up);
      projected.insert(projected.end(), gated.begin(), gated.end());
      return projected;
    };
    EXPECT_EQ(SameBitsEverywhere([&] { return run(true); }), run(false));
  }
}

// Tests the float functions through the kernels that use them.
TEST(Math, GeluAndSiluOverTheirRange) {
  // Weights that copy their one input, or one of two.
  const Weight one =
      PackRows(WeightEncoding::kF32, 1, 1, [](size_t, std::span<float> out) { out[0] = 1.0f; });
  const Weight ones = PackRows(WeightEncoding::kF32, 1, 2,
                               [](size_t, std::span<float> out) { out[0] = 1.0f, out[1] = 0.0f; });
  const Weight second = PackRows(WeightEncoding::kF32, 1, 2, [](size_t, std::span<float> out) {
    out[0] = 0.0f, out[1] = 1.0f;
  });
  Floats x;
  for (int i = -40000; i <= 40000; ++i) x.push_back(static_cast<float>(i) / 2000.0f);
  Floats pairs;
  for (const float v : x) pairs.insert(pairs.end(), {v, 1.0f});
  const Floats gelu = SameBitsEverywhere([&] {
    Floats y(x.size());
    GeluMatMul(View(y, 1), View(x, 1), one);
    return y;
  });
  const Floats silu = SameBitsEverywhere([&] {
    Floats y(x.size());
    SwiGluMatMul(View(y, 1), View(pairs, 2), ones, second);
    return y;
  });
  for (size_t i = 0; i < x.size(); ++i) {
    const double v = x[i];
    ASSERT_NEAR(gelu[i], 0.5 * v * std::erfc(-v / std::sqrt(2.0)), 5e-6 + 1e-6 * std::fabs(v)) << v;
    ASSERT_NEAR(silu[i], v / (1 + std::exp(-v)), 2e-7 * (1 + std::fabs(v))) << v;
  }
}

}  // namespace
}  // namespace dunnock
