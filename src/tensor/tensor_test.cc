#include "tensor/tensor.h"

#include <gtest/gtest.h>

#include <cmath>

#include "tensor/float16.h"

namespace dunnock {
namespace {

TEST(Float16, EveryPatternRoundTrips) {
  for (uint32_t bits = 0; bits < 0x10000; ++bits) {
    const float value = Float16ToFloat(static_cast<uint16_t>(bits));
    if (std::isnan(value)) {
      EXPECT_EQ(bits & 0x7C00, 0x7C00u);
      EXPECT_NE(bits & 0x3FF, 0u);
    } else {
      ASSERT_EQ(FloatToFloat16(value), bits);
    }
  }
}

TEST(Float16, KnownValues) {
  EXPECT_EQ(Float16ToFloat(0x3C00), 1.0f);
  EXPECT_EQ(Float16ToFloat(0xC000), -2.0f);
  EXPECT_EQ(Float16ToFloat(0x0001), 0x1p-24f);
  EXPECT_EQ(Float16ToFloat(0x7BFF), 65504.0f);
  EXPECT_EQ(Float16ToFloat(0x7C00), INFINITY);
  EXPECT_EQ(FloatToFloat16(65520.0f), 0x7C00);         // the first value that rounds to infinity
  EXPECT_EQ(FloatToFloat16(1.0f + 0x1p-11f), 0x3C00);  // a tie goes to even
  EXPECT_EQ(FloatToFloat16(1.0f + 3 * 0x1p-11f), 0x3C02);
  EXPECT_EQ(FloatToFloat16(0x1p-25f), 0x0000);
  EXPECT_EQ(FloatToFloat16(0x1.8p-25f), 0x0001);
}

TEST(BFloat16, RoundsToEven) {
  EXPECT_EQ(FloatToBFloat16(1.0f), 0x3F80);
  EXPECT_EQ(FloatToBFloat16(1.0f + 0x1p-8f), 0x3F80);
  EXPECT_EQ(FloatToBFloat16(1.0f + 3 * 0x1p-8f), 0x3F82);
  EXPECT_TRUE(std::isnan(BFloat16ToFloat(FloatToBFloat16(NAN))));
  EXPECT_EQ(BFloat16ToFloat(0xC040), -3.0f);
}

TEST(Tensor, RowsAndCols) {
  const Tensor t{DType::kF32, {2, 3, 5}, {}};
  EXPECT_EQ(t.rows(), 6u);
  EXPECT_EQ(t.cols(), 5u);
}

}  // namespace
}  // namespace dunnock
