// Tile products beside plain loops: the same bits on every target.

#include "kernels/tile_product.h"

#include <gtest/gtest.h>

#include <random>
#include <vector>

#include "kernels/target.h"

namespace dunnock {
namespace {

void ExpectPlainSums(size_t steps) {
  constexpr size_t kLeft = 21, kRight = 35;  // strides
  std::mt19937 random(7);
  std::normal_distribution<double> normal;
  std::vector<double> a(steps * kLeft + kTile), b(steps * kRight + kTile);
  for (double& v : a) v = normal(random);
  for (double& v : b) v = normal(random);
  std::vector<double> expected(kTile * kTile);
  for (size_t i = 0; i < kTile; ++i) {
    for (size_t j = 0; j < kTile; ++j) {
      double sum = 0;
      for (size_t t = 0; t < steps; ++t) sum += a[t * kLeft + i] * b[t * kRight + j];
      expected[i * kTile + j] = sum;
    }
  }
  for (const std::string& target : SupportedTargets()) {
    ASSERT_TRUE(ForceTarget(target).has_value());
    std::vector<double> out(kTile * kTile, 99);
    TileProduct(out.data(), a.data(), kLeft, b.data(), kRight, steps);
    EXPECT_EQ(out, expected) << target << ", " << steps << " steps";
  }
  ASSERT_TRUE(ForceTarget(SupportedTargets().front()).has_value());
}

TEST(TileProduct, SumsInOrderOnEveryTarget) {
  for (const size_t steps : {0, 1, 2, 37, 300}) {
    ExpectPlainSums(steps);
  }
}

}  // namespace
}  // namespace dunnock
