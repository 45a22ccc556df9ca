#include "eval/statistics.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

namespace dunnock {
namespace {

TEST(Mean, HasTheUsualStandardError) {
  const std::vector<double> values = {1, 2, 3, 4, 10};
  const Estimate mean = Mean(values);
  EXPECT_NEAR(mean.value, 4, 1e-15);
  // The sample's standard deviation is sqrt(50 / 4).
  EXPECT_NEAR(mean.error, std::sqrt(50.0 / 4) / std::sqrt(5.0), 1e-14);
  EXPECT_EQ(Mean(std::vector<double>{3}).error, 0);
}

TEST(ClusteredMean, CountsClustersAndNotValues) {
  // Each value twice in a cluster of its own says no more than each value once.
  const std::vector<double> once = {1, 2, 3, 4, 10}, twice = {1, 1, 2, 2, 3, 3, 4, 4, 10, 10};
  const std::vector<uint32_t> clusters = {0, 0, 1, 1, 2, 2, 3, 3, 4, 4};
  EXPECT_NEAR(ClusteredMean(twice, clusters).error, Mean(once).error, 1e-14);
  EXPECT_LT(Mean(twice).error, Mean(once).error);
}

TEST(Quantile, IsAnOrderStatistic) {
  std::vector<double> values(1000);
  std::iota(values.begin(), values.end(), 0.0);
  EXPECT_EQ(Quantile(values, 0.5).value, 500);
  EXPECT_NEAR(Quantile(values, 0.5).error, std::sqrt(250.0), 1);
  EXPECT_EQ(Quantile(values, 0.999).value, 999);
  EXPECT_EQ(Quantile(values, 1).value, 999);
  EXPECT_EQ(Quantile(values, 0).value, 0);
}

// scipy.stats.spearmanr of SciPy 1.17.
TEST(Spearman, AgreesWithScipy) {
  const std::vector<double> a = {1, 2, 3, 4, 5}, b = {5, 6, 7, 8, 7};
  EXPECT_NEAR(SpearmanCorrelation(a, b), 0.8207826816681233, 1e-15);
  const std::vector<double> reversed = {5, 4, 3, 2, 1};
  EXPECT_NEAR(SpearmanCorrelation(a, reversed), -1, 1e-15);
  EXPECT_NEAR(SpearmanCorrelation(a, a), 1, 1e-15);
  const std::vector<double> equal(5, 2.0);
  EXPECT_TRUE(std::isnan(SpearmanCorrelation(a, equal)));
}

TEST(Spearman, TheErrorShrinksWithThePairs) {
  EXPECT_NEAR(SpearmanError(0, 103), 0.1, 1e-12);
  EXPECT_NEAR(SpearmanError(0.8, 103), 0.36 * std::sqrt(1.32 / 100), 1e-12);
  EXPECT_EQ(SpearmanError(1, 103), 0);
}

TEST(CosineSimilarity, IsThatOfTheDirections) {
  const std::vector<float> x = {3, 4}, y = {-4, 3}, z = {6, 8};
  EXPECT_NEAR(CosineSimilarity(x, y), 0, 1e-15);
  EXPECT_NEAR(CosineSimilarity(x, z), 1, 1e-15);
}

}  // namespace
}  // namespace dunnock
