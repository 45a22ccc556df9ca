// Norms, sums of exponentials and the largest of many, beside plain loops.

#include "kernels/norm.h"

#include <gtest/gtest.h>

#include "kernels/test_data.h"

namespace dunnock {
namespace {

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

}  // namespace
}  // namespace dunnock
