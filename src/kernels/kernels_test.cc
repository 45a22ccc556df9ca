// Every kernel against a plain reference written here, and every target of this CPU against the
// scalar one, bit for bit, at awkward sizes.

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <random>

#include "base/str.h"
#include "base/system/thread_pool.h"
#include "kernels/activations.h"
#include "kernels/attention.h"
#include "kernels/matmul.h"
#include "kernels/norm.h"
#include "kernels/packing/pack.h"
#include "kernels/rope.h"
#include "kernels/target.h"
#include "tensor/float16.h"

namespace dunnock {
namespace {

using Floats = std::vector<float>;

Floats Random(size_t n, uint32_t seed, float scale = 1.0f) {
  std::mt19937 random(seed);
  Floats out(n);
  for (float& v : out) v = scale * (static_cast<float>(random() % 20001) / 10000.0f - 1.0f);
  return out;
}
Rows View(Floats& data, size_t cols) { return {data.data(), data.size() / cols, cols}; }
ConstRows View(const Floats& data, size_t cols) { return {data.data(), data.size() / cols, cols}; }

// Runs body once a target (and with 1 and 3 threads) and expects the same bits every time.
template <typename Body>
Floats SameBitsEverywhere(const Body& body) {
  Floats first;
  std::string first_target;
  for (const std::string& target : SupportedTargets()) {
    EXPECT_TRUE(ForceTarget(target).has_value());
    for (size_t threads : {1, 3}) {
      ThreadPool pool(threads);
      const ThreadPool::Use use(pool);
      const Floats out = body();
      if (first.empty()) {
        first = out;
        first_target = target;
      }
      EXPECT_EQ(first.size(), out.size());
      EXPECT_EQ(std::memcmp(first.data(), out.data(), out.size() * sizeof(float)), 0)
          << target << " with " << threads << " threads differs from " << first_target;
    }
  }
  EXPECT_TRUE(ForceTarget(SupportedTargets().front()).has_value());
  return first;
}

double WorstDifference(const Floats& a, const Floats& b) {
  EXPECT_EQ(a.size(), b.size());
  double worst = 0;
  for (size_t i = 0; i < a.size(); ++i)
    worst = std::max(worst, std::fabs(double{a[i]} - double{b[i]}));
  return worst;
}

// x (n, cols) times the weight's own values, in float64.
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
  double tolerance;  // of the largest output: what rounding x to int8 may cost
};

// Many tokens, few and one give what float64 gives of the same weight, up to the rounding of x, and
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
    // A row alone has the bits it has among others.
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

// Activations of a head: the same tests, with an error some hundred times smaller.
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

// The forms of GGUF's blocks of 256: Q4_K, Q5_K, Q2_K, Q6_K and Q3_K.
TEST(MatMul, FactorsOfABlocksScale) {
  for (const AffineForm& form : {AffineForm{4, 32, 256, true}, AffineForm{6, 32, 256, true},
                                 AffineForm{4, 16, 256, true}, AffineForm{6, 16, 256, false},
                                 AffineForm{4, 16, 256, false}, AffineForm{8, 16, 64, false}}) {
    SCOPED_TRACE(Str(form.code_bits, " bits, groups of ", form.group));
    ExpectReference(RandomWeight(form, 37, 512, 5), 0.02);
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

// The integer part is exact: with activations that int8 holds exactly, nothing is lost but float32.
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

// A GGUF file may have them in two types.
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

// The float functions, through the kernels that use them.
TEST(Math, GeluAndSiluOverTheirRange) {
  // A weight of one input that copies it.
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

TEST(Activations, RotationIsItsOwnInverse) {
  for (size_t block : {1, 2, 8, 16, 64, 512}) {
    const size_t size = block * 3;
    const Floats x = Random(size, 11);
    const Floats once = SameBitsEverywhere([&] {
      Floats y = x;
      Rotate(y.data(), size, block);
      return y;
    });
    Floats expected(size);
    for (size_t i = 0; i < size; ++i) {
      for (size_t j = 0; j < block; ++j) {
        const int sign = __builtin_popcountll((i % block) & j) % 2 == 0 ? 1 : -1;
        expected[i] += static_cast<float>(sign) * x[i / block * block + j];
      }
    }
    EXPECT_LT(WorstDifference(once, expected), 1e-4) << block;
    Floats twice = once;
    Rotate(twice.data(), size, block);
    for (float& v : twice) v /= static_cast<float>(block);
    EXPECT_LT(WorstDifference(twice, x), 1e-5) << block;
  }
  EXPECT_EQ(RotationBlock(576), 64u);
  EXPECT_EQ(RotationBlock(1536), 512u);
  EXPECT_EQ(RotationBlock(384), 128u);
  EXPECT_EQ(RotationBlock(101), 1u);
}

TEST(Activations, CodesAndSums) {
  const size_t cols = 100;
  const Floats x = Random(cols, 12, 3.0f);
  for (const size_t group : {size_t{0}, size_t{20}}) {
    AlignedBuffer memory;
    Activations a(memory);
    a.Quantize(View(x, cols), {true, 1, group});
    const size_t size = group == 0 ? cols : group;
    for (size_t g = 0; g < a.groups(); ++g) {
      int32_t sum = 0;
      for (size_t i = g * size; i < (g + 1) * size; ++i) {
        EXPECT_NEAR(a.codes(0)[i] * a.scales(0)[g], x[i], a.scales(0)[g] * 0.501);
        sum += a.codes(0)[i];
      }
      EXPECT_EQ(a.sums(0)[g], sum);
    }
  }
  AlignedBuffer memory;
  Activations zero(memory);
  zero.Quantize(View(Floats(cols, 0.0f), cols), {true, 1, 0});
  EXPECT_EQ(zero.scales(0)[0], 0.0f);
  EXPECT_EQ(zero.codes(0)[5], 0);
}

// Whichever lane holds it: every target gives the same codes, and a scale that is not finite.
TEST(Activations, WhatIsNotFiniteShowsInTheScale) {
  for (const size_t cols : {16, 40, 64}) {
    for (const float odd : {NAN, -NAN, INFINITY, -INFINITY}) {
      for (size_t at = 0; at < cols; ++at) {
        Floats x = Random(cols, 12, 3.0f);
        x[at] = odd;
        x[(at * 7 + 3) % cols] = odd;
        for (const size_t rotation : {size_t{1}, RotationBlock(cols)}) {
          const Floats found = SameBitsEverywhere([&] {
            AlignedBuffer memory;
            Activations a(memory);
            a.Quantize(View(x, cols), {true, rotation, 0});
            Floats out;
            for (size_t i = 0; i < cols; ++i) out.push_back(a.codes(0)[i]);
            out.push_back(std::isfinite(a.scales(0)[0]) ? 1.0f : 0.0f);
            return out;
          });
          EXPECT_EQ(found.back(), 0.0f);
        }
      }
    }
  }
}

TEST(Norm, ArgMaxPassesOverWhatIsNoNumber) {
  for (const size_t n : {5, 16, 33, 1030}) {
    for (size_t at = 0; at < n; at += n > 100 ? 37 : 1) {
      Floats x = Random(n, 3);
      x[at] = NAN;
      x[(at + 1) % n] = 9.0f;
      x[(at + 2) % n] = NAN;
      SameBitsEverywhere([&] {
        EXPECT_EQ(ArgMax(x), (at + 1) % n) << n;
        return Floats{1.0f};
      });
    }
  }
}

TEST(KvCache, Float16Saturates) {
  KvCache cache({{1}, 4}, 16, KvEncoding::kF16);
  cache.Reserve(2);
  const Floats far = {1e6f, -1e6f, INFINITY, 2.0f, 1.0f, 1.0f, 1.0f, 1.0f};
  cache.Store(0, 0, View(far, 4), View(far, 4));
  const auto* const values = reinterpret_cast<const uint16_t*>(cache.head(0, 0).values);
  EXPECT_EQ(Float16ToFloat(values[0]), 65504.0f);
  EXPECT_EQ(Float16ToFloat(values[1]), -65504.0f);
  EXPECT_EQ(Float16ToFloat(values[2]), 65504.0f);
  EXPECT_EQ(Float16ToFloat(values[3]), 2.0f);
}

TEST(Log, IsNearTheLibrarysAndExactWhereItShouldBe) {
  EXPECT_EQ(Log(1.0), 0.0);
  for (double x = 1e-300; x < 1e300; x *= 1.37)
    EXPECT_NEAR(Log(x), std::log(x), 4e-16 * std::fabs(std::log(x))) << x;
  for (double x = 0.5; x < 2; x += 1e-3)
    EXPECT_NEAR(Log(x), std::log(x), 4e-16 * std::max(std::fabs(std::log(x)), 1e-3)) << x;
  EXPECT_NEAR(Log(5e-324), std::log(5e-324), 1e-12);
}

TEST(Norm, RmsAndLayer) {
  for (size_t cols : {1, 15, 16, 40, 576}) {
    const Floats x = Random(3 * cols, 13), w = Random(cols, 14), b = Random(cols, 15);
    const Floats rms = SameBitsEverywhere([&] {
      Floats y(x.size());
      RmsNorm(View(y, cols), View(x, cols), w, 1e-5f);
      return y;
    });
    const Floats layer = SameBitsEverywhere([&] {
      Floats y(x.size());
      LayerNorm(View(y, cols), View(x, cols), w, b, 1e-12f);
      return y;
    });
    for (size_t t = 0; t < 3; ++t) {
      double mean = 0, squares = 0, variance = 0;
      for (size_t i = 0; i < cols; ++i) {
        mean += x[t * cols + i];
        squares += double{x[t * cols + i]} * x[t * cols + i];
      }
      mean /= static_cast<double>(cols);
      for (size_t i = 0; i < cols; ++i)
        variance += (x[t * cols + i] - mean) * (x[t * cols + i] - mean);
      variance /= static_cast<double>(cols);
      for (size_t i = 0; i < cols; ++i) {
        const double v = x[t * cols + i];
        EXPECT_NEAR(rms[t * cols + i],
                    v / std::sqrt(squares / static_cast<double>(cols) + 1e-5) * w[i], 1e-5);
        if (cols > 1) {
          EXPECT_NEAR(layer[t * cols + i], (v - mean) / std::sqrt(variance + 1e-12) * w[i] + b[i],
                      2e-5);
        }
      }
    }
  }
}

TEST(Norm, L2AndLogSumExp) {
  Floats x = {3, 4, 0, 0};
  L2Normalize(View(x, 2));
  EXPECT_EQ(x, (Floats{0.6f, 0.8f, 0, 0}));
  EXPECT_NEAR(LogSumExp(Floats{1000.0f, 1000.0f}), 1000 + std::log(2.0), 1e-9);
}

TEST(Norm, ArgMaxIsTheFirstOfTheLargest) {
  for (size_t n : {1, 5, 16, 17, 1024, 1025, 5000}) {
    Floats x = Random(n, 3);
    for (const size_t at : {size_t{0}, n / 2, n - 1}) {
      Floats y = x;
      y[at] = y[n - 1] = 7.0f;
      SameBitsEverywhere([&] {
        EXPECT_EQ(ArgMax(y), at) << n;
        return Floats{1.0f};
      });
    }
  }
  EXPECT_EQ(ArgMax(Floats{NAN, NAN}), 0u);
  EXPECT_EQ(ArgMax(Floats{NAN, -1.0f, NAN}), 1u);
}

TEST(Rope, TurnsPairsByPositionTimesFrequency) {
  const size_t head_dim = 20, heads = 2;
  for (const double theta : {10000.0, 130000.0}) {
    const RopeFrequencies frequencies(theta, head_dim);
    const Floats x = Random(3 * heads * head_dim, 16);
    const std::vector<uint32_t> positions = {0, 17, 4999};
    const Floats out = SameBitsEverywhere([&] {
      Floats y = x, cos_sin(3 * head_dim);
      frequencies.CosSin(View(cos_sin, head_dim), positions);
      Rope(View(y, heads * head_dim), View(cos_sin, head_dim));
      return y;
    });
    for (size_t t = 0; t < 3; ++t) {
      for (size_t h = 0; h < heads; ++h) {
        for (size_t i = 0; i < head_dim / 2; ++i) {
          const double exponent = 2.0 * static_cast<double>(i) / head_dim;
          const double angle = static_cast<float>(positions[t]) *
                               (1.0f / static_cast<float>(std::pow(theta, exponent)));
          const size_t a = (t * heads + h) * head_dim + i, b = a + head_dim / 2;
          EXPECT_NEAR(out[a], x[a] * std::cos(angle) - x[b] * std::sin(angle), 2e-7);
          EXPECT_NEAR(out[b], x[b] * std::cos(angle) + x[a] * std::sin(angle), 2e-7);
        }
      }
    }
  }
}

struct AttentionData {
  size_t heads, kv_heads, head_dim, n;
  Floats q, k, v;
};

// The plain definition for one sequence of n tokens.
Floats AttentionReference(const AttentionData& d, Mask mask) {
  Floats out(d.q.size());
  for (size_t t = 0; t < d.n; ++t) {
    const size_t seen = mask == Mask::kCausal ? t + 1 : d.n;
    for (size_t h = 0; h < d.heads; ++h) {
      const size_t kv = h * d.kv_heads / d.heads;
      std::vector<double> weights(seen);
      double sum = 0;
      for (size_t s = 0; s < seen; ++s) {
        double score = 0;
        for (size_t i = 0; i < d.head_dim; ++i) {
          score += double{d.q[(t * d.heads + h) * d.head_dim + i]} *
                   d.k[(s * d.kv_heads + kv) * d.head_dim + i];
        }
        sum += weights[s] = std::exp(score / std::sqrt(static_cast<double>(d.head_dim)));
      }
      for (size_t i = 0; i < d.head_dim; ++i) {
        double mixed = 0;
        for (size_t s = 0; s < seen; ++s)
          mixed += weights[s] / sum * d.v[(s * d.kv_heads + kv) * d.head_dim + i];
        out[(t * d.heads + h) * d.head_dim + i] = static_cast<float>(mixed);
      }
    }
  }
  return out;
}

// Runs one sequence in pieces of the sizes given.
Floats AttendInPieces(const AttentionData& d, Mask mask, std::span<const size_t> pieces,
                      KvEncoding encoding = KvEncoding::kF32) {
  KvCache cache({{static_cast<uint32_t>(d.kv_heads)}, d.head_dim}, d.n, encoding);
  const size_t q_cols = d.heads * d.head_dim, kv_cols = d.kv_heads * d.head_dim;
  Floats out(d.q.size());
  size_t at = 0;
  for (const size_t count : pieces) {
    cache.Reserve(count);
    const Sequence sequence{0, count, &cache};
    Attention({out.data() + at * q_cols, count, q_cols}, {d.q.data() + at * q_cols, count, q_cols},
              {d.k.data() + at * kv_cols, count, kv_cols},
              {d.v.data() + at * kv_cols, count, kv_cols}, {&sequence, 1}, 0,
              {d.heads, d.kv_heads, d.head_dim, mask});
    cache.Commit(count);
    at += count;
  }
  return out;
}

struct KvForm {
  KvEncoding encoding;
  double tolerance;  // of values below 1: what rounding them costs
};
constexpr KvForm kKvForms[] = {
    {KvEncoding::kF32, 3e-6}, {KvEncoding::kF16, 2e-3}, {KvEncoding::kInt8, 4e-2}};

AttentionData RandomAttention(size_t heads, size_t kv_heads, size_t head_dim, size_t n) {
  return {heads,
          kv_heads,
          head_dim,
          n,
          Random(n * heads * head_dim, 1, 2.0f),
          Random(n * kv_heads * head_dim, 2, 2.0f),
          Random(n * kv_heads * head_dim, 3)};
}

TEST(Attention, EqualsReferenceAndDoesNotDependOnTheSplit) {
  // 41 tokens: with three heads a kv head passes of 12 and 3 queries, with one of 12, 4 and 1.
  const size_t n = 41, whole[] = {n}, pieces[] = {1, 15, 1, 17, 7};
  for (const size_t head_dim : {12, 16, 33, 64}) {
    for (const size_t heads : {6, 2}) {
      const AttentionData d = RandomAttention(heads, 2, head_dim, n);
      for (const KvForm& form : kKvForms) {
        for (const Mask mask : {Mask::kCausal, Mask::kNone}) {
          const Floats out =
              SameBitsEverywhere([&] { return AttendInPieces(d, mask, whole, form.encoding); });
          EXPECT_LT(WorstDifference(out, AttentionReference(d, mask)), form.tolerance) << head_dim;
        }
        EXPECT_EQ(AttendInPieces(d, Mask::kCausal, whole, form.encoding),
                  AttendInPieces(d, Mask::kCausal, pieces, form.encoding));
      }
    }
  }
}

TEST(Attention, LongSequencesAndManyHeadsAKvHead) {
  const size_t n = 1100, head_dim = 32;  // more than two blocks of values
  const AttentionData d = RandomAttention(16, 1, head_dim, n);
  const Floats expected = AttentionReference(d, Mask::kCausal);
  const size_t whole[] = {n}, pieces[] = {511, 2, 513, 74};
  for (const KvForm& form : kKvForms) {
    const Floats out =
        SameBitsEverywhere([&] { return AttendInPieces(d, Mask::kCausal, whole, form.encoding); });
    EXPECT_LT(WorstDifference(out, expected), form.tolerance);
    EXPECT_EQ(out, AttendInPieces(d, Mask::kCausal, pieces, form.encoding));
  }
}

TEST(KvCache, SmallerFormsTakeLess) {
  size_t bytes[3], i = 0;
  for (const KvForm& form : kKvForms) {
    KvCache cache({{3, 3}, 64}, 128, form.encoding);
    cache.Reserve(128);
    bytes[i++] = cache.size_bytes();
  }
  EXPECT_EQ(bytes[0], 2u * 3 * 128 * 64 * 2 * 4);
  EXPECT_EQ(bytes[1], bytes[0] / 2);
  EXPECT_EQ(bytes[2], 2u * 3 * 128 * (64 + 64 + 8));
}

TEST(Attention, ASequenceDoesNotSeeItsNeighbours) {
  const size_t head_dim = 16, n = 20;
  const AttentionData d{2, 2, head_dim, n, Random(n * 32, 1), Random(n * 32, 2), Random(n * 32, 3)};
  KvCache a({{2}, head_dim}, n), b({{2}, head_dim}, n);
  a.Reserve(8);
  b.Reserve(12);
  const Sequence sequences[] = {{0, 8, &a}, {8, 12, &b}};
  Floats together(d.q.size());
  Attention(View(together, 32), View(d.q, 32), View(d.k, 32), View(d.v, 32), sequences, 0,
            {2, 2, head_dim, Mask::kNone});
  AttentionData second{2, 2, head_dim, 12, {}, {}, {}};
  second.q.assign(d.q.begin() + 8 * 32, d.q.end());
  second.k.assign(d.k.begin() + 8 * 32, d.k.end());
  second.v.assign(d.v.begin() + 8 * 32, d.v.end());
  const size_t whole[] = {12};
  EXPECT_EQ(Floats(together.begin() + 8 * 32, together.end()),
            AttendInPieces(second, Mask::kNone, whole));
}

TEST(Attention, RowsOfABatchMayBeAttendedInParts) {
  const size_t head_dim = 16, cols = 2 * head_dim, n = 41;
  const AttentionData d{
      2, 2, head_dim, n, Random(n * cols, 1), Random(n * cols, 2), Random(n * cols, 3)};
  for (const KvForm& form : kKvForms) {
    for (const Mask mask : {Mask::kCausal, Mask::kNone}) {
      const AttentionShape shape{2, 2, head_dim, mask};
      const auto run = [&](std::span<const size_t> ends) {
        KvCache a({{2}, head_dim}, n, form.encoding), b({{2}, head_dim}, n, form.encoding);
        a.Reserve(17);
        b.Reserve(24);
        const Sequence sequences[] = {{0, 17, &a}, {17, 24, &b}};
        Floats q = d.q, k = d.k, v = d.v, out(q.size());
        const auto for_parts = [&](const auto& body) {
          size_t begin = 0;
          for (const size_t end : ends) {
            body(begin, [&](Floats& of) { return View(of, cols).Part(begin, end); });
            begin = end;
          }
        };
        for_parts([&](size_t begin, const auto& own) {
          StoreKeysAndValues(own(k), own(v), begin, sequences, 0);
        });
        for_parts([&](size_t begin, const auto& own) {
          Attend(own(out), own(q), begin, sequences, 0, shape);
        });
        return out;
      };
      const size_t whole[] = {n}, parts[] = {1, 8, 16, 22, 23, 40, n};
      EXPECT_EQ(run(parts), run(whole));
    }
  }
}

TEST(KvCache, TruncateAndReplay) {
  const size_t n = 40, head_dim = 16;
  const AttentionData d{1, 1, head_dim, n, Random(n * 16, 1), Random(n * 16, 2), Random(n * 16, 3)};
  const size_t whole[] = {n};
  const Floats expected = AttendInPieces(d, Mask::kCausal, whole);
  KvCache cache({{1}, head_dim}, n);
  Floats out(n * 16);
  const auto run = [&](size_t from, size_t count) {
    cache.Reserve(count);
    const Sequence s{0, count, &cache};
    Attention({out.data() + from * 16, count, 16}, {d.q.data() + from * 16, count, 16},
              {d.k.data() + from * 16, count, 16}, {d.v.data() + from * 16, count, 16}, {&s, 1}, 0,
              {1, 1, head_dim, Mask::kCausal});
    cache.Commit(count);
  };
  run(0, 30);
  cache.Truncate(11);
  run(11, 29);
  EXPECT_EQ(out, expected);
  EXPECT_EQ(cache.length(), n);
}

TEST(Target, UnknownNamesAreRefused) {
  const Status status = ForceTarget("avx9000");
  ASSERT_FALSE(status.has_value());
  EXPECT_NE(status.error().message.find("scalar"), std::string::npos);
}

TEST(Target, ForcedTargetIsUsed) {
  for (const std::string& target : SupportedTargets()) {
    ASSERT_TRUE(ForceTarget(target).has_value());
    EXPECT_EQ(CurrentTarget(), target);
  }
  EXPECT_GE(SupportedTargets().size(), 2u) << "the comparison of targets compares nothing here";
  ASSERT_TRUE(ForceTarget(SupportedTargets().front()).has_value());
}

}  // namespace
}  // namespace dunnock
