#pragma once
// Figures with error bars. An error is one standard error of the figure, as an estimate from a
// sample; it says nothing about texts of another kind.

#include <cstdint>
#include <span>
#include <vector>

namespace dunnock {

struct Estimate {
  double value = 0;
  double error = 0;  // one standard error; 0 where there are too few observations to tell
};

// The mean of values that depend on each other inside clusters, such as the tokens of a passage.
// With e_c the sum over cluster c of (value - mean), the error is
// sqrt(C / (C - 1) sum_c e_c^2) / n. `clusters` has the cluster of each value; equal ones lie side
// by side. NaN for no values.
Estimate ClusteredMean(std::span<const double> values, std::span<const uint32_t> clusters);
// The same where every value is a cluster of its own.
Estimate Mean(std::span<const double> values);

// The q-quantile, 0 <= q <= 1, of values in ascending order: the one at index floor(q n). Its error
// is half the distance between the values sqrt(n q (1 - q)) places below and above it (the order
// statistics of a binomial count).
Estimate Quantile(std::span<const double> ascending, double q);

// Pearson's correlation, -1 to 1; NaN if all values of one side are equal.
double Correlation(std::span<const double> a, std::span<const double> b);

// Spearman's rank correlation, -1 to 1: Pearson's correlation of the ranks, where equal values
// share the mean of their ranks. NaN if all values of one side are equal.
double SpearmanCorrelation(std::span<const double> a, std::span<const double> b);
// The standard error of Spearman's r of n pairs: (1 - r^2) sqrt((1 + r^2 / 2) / (n - 3)) (Bonett
// and Wright 2000); 0 for n <= 3.
double SpearmanError(double r, size_t n);

double CosineSimilarity(std::span<const float> a, std::span<const float> b);

}  // namespace dunnock
