// Rotary positions beside their definition.

#include "kernels/rope.h"

#include <gtest/gtest.h>

#include "kernels/test_data.h"

namespace dunnock {
namespace {

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

}  // namespace
}  // namespace dunnock
