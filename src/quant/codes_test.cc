// Rounding to nearest and the entropy of codes.

#include "quant/codes.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "kernels/activations.h"
#include "kernels/packing/pack.h"

namespace dunnock {
namespace {

using Floats = std::vector<float>;

Floats Normal(size_t count, uint32_t seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  Floats out(count);
  for (float& v : out) v = normal(random);
  return out;
}

double Noise(const Floats& values, const Codes& codes) {
  double error = 0, square = 0;
  for (size_t i = 0; i < values.size(); ++i) {
    const double d = values[i] - codes.value(i / codes.cols, i % codes.cols);
    error += d * d;
    square += double{values[i]} * values[i];
  }
  return error / square;
}

TEST(RoundToNearest, GivesTheValuesOfPackRows) {
  constexpr size_t kRows = 21, kCols = 192;
  const Floats values = Normal(kRows * kCols, 1);
  Floats rotated = values;
  const size_t block = RotationBlock(kCols);
  for (size_t row = 0; row < kRows; ++row) Rotate(&rotated[row * kCols], kCols, block);
  for (float& v : rotated) v /= static_cast<float>(block);
  for (const auto& [encoding, bits] : {std::pair{WeightEncoding::kInt4, 4},
                                       {WeightEncoding::kInt6, 6},
                                       {WeightEncoding::kInt8, 8}}) {
    const Weight weight = PackRows(encoding, kRows, kCols, [&](size_t row, std::span<float> out) {
      std::copy_n(&values[row * kCols], kCols, out.begin());
    });
    const Codes codes = RoundToNearest({rotated.data(), kRows, kCols}, {.bits = bits});
    Floats expected(kCols), row_values(kCols);
    for (size_t row = 0; row < kRows; ++row) {
      UnpackRow(weight, row, expected);
      for (size_t k = 0; k < kCols; ++k) row_values[k] = codes.value(row, k);
      Rotate(row_values.data(), kCols, block);
      EXPECT_EQ(row_values, expected) << bits << " bits, row " << row;
    }
  }
}

TEST(RoundToNearest, IsNearTheBestUniformRounding) {
  // The least noise of even steps for a normal distribution (Max 1960): 8 steps .03744, 16 .01154,
  // 32 .00349. Ours lie around a code of zero, not on both sides of zero, which costs most with
  // few of them; and 576 values end before the distribution, which spares most with many.
  const Floats values = Normal(64 * 576, 2);
  const ConstRows rows(values.data(), 64, 576);
  for (const auto& [bits, best] : {std::pair{3, .03744}, {4, .01154}, {5, .00349}}) {
    const double noise = Noise(values, RoundToNearest(rows, {.bits = bits}));
    EXPECT_LT(noise, best * 1.08) << bits;
    EXPECT_GT(noise, best * 0.85) << bits;
    for (const size_t group : {32, 64})  // few values end before the distribution
      EXPECT_LT(Noise(values, RoundToNearest(rows, {.bits = bits, .group = group})), noise);
  }
}

TEST(RoundToNearest, AWiderStepHasLessEntropyAndMoreNoise) {
  const Floats values = Normal(64 * 576, 3);
  const ConstRows rows(values.data(), 64, 576);
  double bits = 4, noise = 0;
  for (const float size : {.34f, .42f, .6f}) {
    const Codes codes = RoundToNearest(rows, {4, 0, {Step::kRms, size}});
    EXPECT_LT(EntropyOf(codes.codes), bits) << size;
    EXPECT_GT(Noise(values, codes), noise) << size;
    bits = EntropyOf(codes.codes);
    noise = Noise(values, codes);
    // A normal distribution has log2(sqrt(2 pi e) / step) bits in steps of that size, if they are
    // fine.
    if (size > 0.4f) {
      EXPECT_NEAR(bits, std::log2(4.1327f / size), 0.02) << size;
    }
  }
}

TEST(RoundToNearest, MeanRmsStandsBetweenRowAndMatrix) {
  Floats values = Normal(2 * 64, 4);
  for (size_t k = 0; k < 64; ++k) values[k] *= 9;
  const ConstRows rows(values.data(), 2, 64);
  const Codes by_row = RoundToNearest(rows, {4, 0, {Step::kRms, .42f}});
  const Codes between = RoundToNearest(rows, {4, 0, {Step::kMeanRms, .42f}});
  const float whole = .42f * RmsOf(rows);
  for (size_t row = 0; row < 2; ++row)
    EXPECT_NEAR(between.scales[row], std::sqrt(by_row.scales[row] * whole), 1e-6f);
}

TEST(RoundToNearest, ScalesOfGroupsAreFloat16) {
  const Floats values = {1e6f, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, -1e6f};
  const Codes codes = RoundToNearest({values.data(), 1, 16}, {8, 16});
  EXPECT_EQ(codes.scales[0], 7876.0f);  // nearest to 7874.02, where float16 has steps of 4
}

TEST(EntropyOf, Histogram) {
  EXPECT_EQ(EntropyOf({}), 0);
  EXPECT_EQ(EntropyOf(std::vector<uint8_t>{7, 7, 7}), 0);
  EXPECT_NEAR(EntropyOf(std::vector<uint8_t>{0, 255}), 1, 1e-12);
  EXPECT_NEAR(EntropyOf(std::vector<uint8_t>{1, 1, 2, 3}), 1.5, 1e-12);
}

}  // namespace
}  // namespace dunnock
