// Rounding to codes: how near, and what must not go wrong at the edges of float.

#include "kernels/packing/pack.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>
#include <vector>

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

RowReader RowsOf(const Floats& values, size_t cols) {
  return [&values, cols](size_t row, std::span<float> out) {
    std::copy_n(values.begin() + static_cast<std::ptrdiff_t>(row * cols), cols, out.begin());
  };
}

// Mean squared error over mean square.
double Noise(const Weight& weight, const Floats& values) {
  Floats row(weight.cols);
  double error = 0, square = 0;
  for (size_t r = 0; r < weight.rows; ++r) {
    UnpackRow(weight, r, row);
    for (size_t k = 0; k < weight.cols; ++k) {
      const double v = values[r * weight.cols + k];
      error += (row[k] - v) * (row[k] - v);
      square += v * v;
    }
  }
  return error / square;
}

TEST(PackRows, Int4IsNearTheBestUniformRounding) {
  // 16 even steps round a normal distribution to .01154 of its variance at best (Max 1960); a scale
  // that reaches the largest of 576 values costs about .02.
  const Floats values = Normal(64 * 576, 1);
  const Weight weight = PackRows(WeightEncoding::kInt4, 64, 576, RowsOf(values, 576));
  EXPECT_LT(Noise(weight, values), 0.0122);
  EXPECT_GT(Noise(weight, values), 0.0110);
}

TEST(PackRows, Int8) {
  const Floats values = Normal(64 * 576, 1);
  EXPECT_LT(Noise(PackRows(WeightEncoding::kInt8, 64, 576, RowsOf(values, 576)), values), 8e-5);
}

TEST(PackRows, Int6) {
  // 64 even steps: .00104 at best (Max 1960); less, where 576 values end before the distribution.
  const Floats values = Normal(64 * 576, 1);
  const double noise = Noise(PackRows(WeightEncoding::kInt6, 64, 576, RowsOf(values, 576)), values);
  EXPECT_LT(noise, 0.0010);
  EXPECT_GT(noise, 0.0007);
}

TEST(RoundToInt4Groups, IsNearerThanTheWholeRange) {
  const Floats values = Normal(64 * 576, 2);
  const Weight weight = RoundToInt4Groups(64, 576, 32, RowsOf(values, 576));
  EXPECT_EQ(weight.encoding, WeightEncoding::kInt4Grouped);
  EXPECT_TRUE(weight.has_minimums);
  EXPECT_FALSE(weight.has_factors());
  EXPECT_EQ(weight.panel_bytes, PanelBytesOf(weight));
  // Least to most of each group in 15 steps, the common way.
  double error = 0, square = 0;
  for (size_t at = 0; at < values.size(); at += 32) {
    const auto [low, high] = std::minmax_element(&values[at], &values[at] + 32);
    const float scale = (*high - *low) / 15;
    for (size_t k = at; k < at + 32; ++k) {
      const float rounded = *low + scale * std::nearbyint((values[k] - *low) / scale);
      error += std::pow(values[k] - rounded, 2);
      square += std::pow(values[k], 2);
    }
  }
  EXPECT_LT(Noise(weight, values), 0.92 * error / square);
}

TEST(RoundToInt4Groups, KeepsValuesThatAreCodesAlready) {
  Floats values(16 * 64);
  for (size_t i = 0; i < values.size(); ++i)
    values[i] = 0.25f * static_cast<float>(i * 7 % 16) - 2.0f;
  const Weight weight = RoundToInt4Groups(16, 64, 32, RowsOf(values, 64));
  EXPECT_LT(Noise(weight, values), 1e-7);
}

TEST(Pack, ConstantZeroAndNotFiniteRows) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
  constexpr float kTiny = std::numeric_limits<float>::denorm_min();
  const Floats rows = {0.0f, 3.0f, -3.0f, kTiny, kInfinity, -kInfinity, kNan, 3e38f};
  constexpr size_t kCols = 32;
  const RowReader read = [&](size_t row, std::span<float> out) {
    std::fill(out.begin(), out.end(), rows[row]);
    if (row >= 4) out[1] = 1.0f;
  };
  for (const Weight& weight : {PackRows(WeightEncoding::kInt8, rows.size(), kCols, read),
                               PackRows(WeightEncoding::kInt4, rows.size(), kCols, read),
                               RoundToInt4Groups(rows.size(), kCols, 32, read)}) {
    Floats out(kCols);
    UnpackRow(weight, 0, out);
    EXPECT_EQ(out, Floats(kCols, 0.0f));
    for (size_t row : {1, 2}) {
      UnpackRow(weight, row, out);
      for (const float v : out) EXPECT_NEAR(v, rows[row], 0.01);
    }
    // No value to expect of the rest, but no undefined behaviour either (UBSan).
    for (size_t row = 3; row < rows.size(); ++row) UnpackRow(weight, row, out);
  }
}

TEST(PanelBytesOf, IsWhatPackingMakes) {
  const Floats values = Normal(20 * 96, 3);
  for (const WeightEncoding encoding :
       {WeightEncoding::kF32, WeightEncoding::kBF16, WeightEncoding::kInt8, WeightEncoding::kInt6,
        WeightEncoding::kInt4}) {
    const Weight weight = PackRows(encoding, 20, 96, RowsOf(values, 96));
    EXPECT_EQ(weight.panels.size(), 2 * PanelBytesOf(weight));
    EXPECT_EQ(EncodingNamed(NameOf(encoding)), encoding);
  }
  EXPECT_FALSE(EncodingNamed("int3").has_value());
}

}  // namespace
}  // namespace dunnock
