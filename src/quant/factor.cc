#include "quant/factor.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/check.h"
#include "base/str.h"
#include "base/system/thread_pool.h"
#include "quant/tiles.h"

namespace dunnock {
namespace {

// First the column that is rounded last.
std::vector<size_t> OrderOf(const SquareMatrix& hessian, const FactorOptions& options) {
  const size_t cols = hessian.size(), group = options.group == 0 ? 1 : options.group;
  std::vector<size_t> order(cols);
  std::iota(order.begin(), order.end(), size_t{0});
  if (options.by_diagonal) {
    std::vector<double> of_group(cols / group);
    for (size_t k = 0; k < cols; ++k) of_group[k / group] += hessian[k][k];
    std::sort(order.begin(), order.end(), [&](size_t a, size_t b) {
      const size_t i = a / group, j = b / group;
      if (of_group[i] != of_group[j]) return of_group[i] > of_group[j];
      if (i != j) return i < j;
      const double x = hessian[a][a], y = hessian[b][b];
      return x != y ? x > y : a < b;
    });
  }
  std::reverse(order.begin(), order.end());
  return order;
}

// The rows and columns [begin, end) of `a`, whose earlier columns have been subtracted. False if a
// pivot is not positive.
bool FactorBlock(SquareMatrix& a, size_t begin, size_t end) {
  for (size_t k = begin; k < end; ++k) {
    double pivot = a[k][k];
    for (size_t t = begin; t < k; ++t) pivot -= a[k][t] * a[k][t];
    if (!(pivot > 0)) return false;
    a[k][k] = std::sqrt(pivot);
    for (size_t i = k + 1; i < end; ++i) {
      double rest = a[i][k];
      for (size_t t = begin; t < k; ++t) rest -= a[i][t] * a[k][t];
      a[i][k] = rest / a[k][k];
    }
    std::fill(a[k] + k + 1, a[k] + end, 0.0);
  }
  return true;
}

// a = L L^T in place, in blocks of columns from left to right. Reads and writes the lower half.
bool Cholesky(SquareMatrix& a) {
  constexpr size_t kBlock = 64;
  const size_t size = a.size();
  std::vector<double> above;  // the rows of the block as tiles, columns [0, begin)
  for (size_t begin = 0; begin < size; begin += kBlock) {
    const size_t end = std::min(size, begin + kBlock), tiles = TilesOf(end - begin);
    above.resize(tiles * kTile * begin);
    for (size_t j = 0; j < tiles; ++j)
      PutTileRows(above.data() + j * kTile * begin, a, begin + j * kTile, 0, begin);
    ThreadPool::Current().ParallelFor(size - begin, kTile, [&](size_t from, size_t to) {
      std::vector<double> rows(kTile * begin);
      for (size_t i = begin + from; i < begin + to; i += kTile) {
        PutTileRows(rows.data(), a, i, 0, begin);
        for (size_t j = 0; j < tiles; ++j)
          SubtractTile(a, i, begin + j * kTile, end, rows.data(), above.data() + j * kTile * begin,
                       begin);
      }
    });
    if (!FactorBlock(a, begin, end)) return false;
    ThreadPool::Current().ParallelFor(size - end, 1, [&](size_t from, size_t to) {
      for (size_t i = end + from; i < end + to; ++i) {
        for (size_t k = begin; k < end; ++k) {
          double rest = a[i][k];
          for (size_t t = begin; t < k; ++t) rest -= a[i][t] * a[k][t];
          a[i][k] = rest / a[k][k];
        }
      }
    });
  }
  return true;
}

}  // namespace

Result<HessianFactor> FactorOf(const SquareMatrix& hessian, const FactorOptions& options) {
  const size_t cols = hessian.size();
  DUNNOCK_CHECK(options.group == 0 || cols % options.group == 0);
  double trace = 0;
  for (size_t k = 0; k < cols; ++k) trace += hessian[k][k];
  if (!std::isfinite(trace)) {
    return Invalid(
        "Hessian: a sum of squared inputs that is not finite: expected finite activations; look "
        "for weights of the model that are not finite");
  }
  if (!(trace > 0)) {
    return Invalid(
        "Hessian: all inputs are zero: expected activations of at least one token; calibrate with "
        "more text");
  }
  HessianFactor factor{OrderOf(hessian, options), SquareMatrix(cols),
                       options.damping * trace / static_cast<double>(cols)};
  SquareMatrix& lower = factor.lower;
  ThreadPool::Current().ParallelFor(cols, kTile, [&](size_t begin, size_t end) {
    for (size_t i = begin; i < end; ++i) {
      const double* const from = hessian[factor.order[i]];
      for (size_t j = 0; j <= i; ++j) lower[i][j] = from[factor.order[j]];
      lower[i][i] += factor.damping;
    }
  });
  if (!Cholesky(lower)) {
    return Invalid(
        Str("Hessian: not positive definite with a damping of ", options.damping,
            " of its mean diagonal: expected at least as many independent inputs as its ", cols,
            " columns; calibrate with more text or raise the damping"));
  }
  return factor;
}

}  // namespace dunnock
