// Rotating and rounding activations.

#include "kernels/activations.h"

#include <gtest/gtest.h>

#include "kernels/test_data.h"

namespace dunnock {
namespace {

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

// Whichever lane holds the NaN or infinity, every target gives the same codes and a scale that is
// not finite.
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

}  // namespace
}  // namespace dunnock
