#include "eval/statistics.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/check.h"

namespace dunnock {
namespace {

double PlainMean(std::span<const double> values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

// Ranks from 0; equal values share the mean of their ranks.
std::vector<double> Ranks(std::span<const double> values) {
  std::vector<size_t> order(values.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) { return values[a] < values[b]; });
  std::vector<double> ranks(values.size());
  for (size_t i = 0; i < order.size();) {
    size_t end = i;
    while (end < order.size() && values[order[end]] == values[order[i]]) ++end;
    for (size_t j = i; j < end; ++j) ranks[order[j]] = static_cast<double>(i + end - 1) / 2;
    i = end;
  }
  return ranks;
}

}  // namespace

Estimate ClusteredMean(std::span<const double> values, std::span<const uint32_t> clusters) {
  DUNNOCK_CHECK(values.size() == clusters.size());
  Estimate out{PlainMean(values), 0};
  double sum = 0;
  size_t count = 0;
  for (size_t i = 0; i < values.size(); ++count) {
    double e = 0;
    const uint32_t cluster = clusters[i];
    for (; i < values.size() && clusters[i] == cluster; ++i) e += values[i] - out.value;
    sum += e * e;
  }
  if (count < 2) return out;
  const double c = static_cast<double>(count);
  out.error = std::sqrt(c / (c - 1) * sum) / static_cast<double>(values.size());
  return out;
}

Estimate Mean(std::span<const double> values) {
  std::vector<uint32_t> own(values.size());
  std::iota(own.begin(), own.end(), 0u);
  return ClusteredMean(values, own);
}

Estimate Quantile(std::span<const double> ascending, double q) {
  DUNNOCK_CHECK(!ascending.empty() && q >= 0 && q <= 1);
  const double n = static_cast<double>(ascending.size());
  const auto at = [&](double index) {
    return ascending[static_cast<size_t>(std::clamp(std::floor(index), 0.0, n - 1))];
  };
  const double spread = std::sqrt(n * q * (1 - q));
  return {at(q * n), (at(q * n + spread) - at(q * n - spread)) / 2};
}

double Correlation(std::span<const double> a, std::span<const double> b) {
  DUNNOCK_CHECK(a.size() == b.size());
  const double ma = PlainMean(a), mb = PlainMean(b);
  double ab = 0, aa = 0, bb = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    ab += (a[i] - ma) * (b[i] - mb);
    aa += (a[i] - ma) * (a[i] - ma);
    bb += (b[i] - mb) * (b[i] - mb);
  }
  return ab / std::sqrt(aa * bb);
}

double SpearmanCorrelation(std::span<const double> a, std::span<const double> b) {
  return Correlation(Ranks(a), Ranks(b));
}

double SpearmanError(double r, size_t n) {
  if (n <= 3) return 0;
  return (1 - r * r) * std::sqrt((1 + r * r / 2) / static_cast<double>(n - 3));
}

double CosineSimilarity(std::span<const float> a, std::span<const float> b) {
  double ab = 0, aa = 0, bb = 0;
  for (size_t d = 0; d < a.size(); ++d) {
    const double x = a[d], y = b[d];
    ab += x * y;
    aa += x * x;
    bb += y * y;
  }
  return ab / std::sqrt(aa * bb);
}

}  // namespace dunnock
