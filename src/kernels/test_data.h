#pragma once
// What the tests of the kernels share: every target of this CPU is compared with the scalar one bit
// for bit, at awkward sizes.

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "base/system/thread_pool.h"
#include "kernels/target.h"
#include "tensor/rows.h"

namespace dunnock {

using Floats = std::vector<float>;

inline Floats Random(size_t n, uint32_t seed, float scale = 1.0f) {
  std::mt19937 random(seed);
  Floats out(n);
  for (float& v : out) v = scale * (static_cast<float>(random() % 20001) / 10000.0f - 1.0f);
  return out;
}
inline Rows View(Floats& data, size_t cols) { return {data.data(), data.size() / cols, cols}; }
inline ConstRows View(const Floats& data, size_t cols) {
  return {data.data(), data.size() / cols, cols};
}

// Runs body on every target, with 1 and 3 threads, and expects the same bits every time.
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

inline double WorstDifference(const Floats& a, const Floats& b) {
  EXPECT_EQ(a.size(), b.size());
  double worst = 0;
  for (size_t i = 0; i < a.size(); ++i)
    worst = std::max(worst, std::fabs(double{a[i]} - double{b[i]}));
  return worst;
}

}  // namespace dunnock
