#include "quant/tiles.h"

#include <algorithm>

namespace dunnock {
namespace {

// Steps of one TileProduct: what they read of both operands stays in the nearest cache. The sums of
// longer products are sums of these, in order.
constexpr size_t kSteps = 256;

}  // namespace

void PutTileRows(double* tile, const SquareMatrix& a, size_t first, size_t begin, size_t end) {
  for (size_t i = 0; i < kTile; ++i) {
    if (first + i < a.size()) {
      const double* const row = a[first + i];
      for (size_t t = begin; t < end; ++t) tile[(t - begin) * kTile + i] = row[t];
    } else {
      for (size_t t = begin; t < end; ++t) tile[(t - begin) * kTile + i] = 0;
    }
  }
}

void SubtractTile(SquareMatrix& a, size_t i, size_t j, size_t end, const double* rows,
                  const double* cols, size_t steps) {
  const size_t valid_rows = std::min(kTile, a.size() - i), valid_cols = std::min(kTile, end - j);
  double product[kTile * kTile];
  for (size_t t = 0; t < steps; t += kSteps) {
    TileProduct(product, rows + t * kTile, kTile, cols + t * kTile, kTile,
                std::min(kSteps, steps - t));
    for (size_t r = 0; r < valid_rows; ++r) {
      for (size_t c = 0; c < valid_cols; ++c) a[i + r][j + c] -= product[r * kTile + c];
    }
  }
}

void MultiplyRows(double* out, const double* x, const SquareMatrix& a, size_t first, size_t steps,
                  size_t begin, size_t end) {
  std::fill_n(out, (end - begin) * kTile, 0.0);
  double product[kTile * kTile];
  for (size_t t = 0; t < steps; t += kSteps) {
    const size_t count = std::min(kSteps, steps - t);
    for (size_t j = begin; j < end; j += kTile) {
      TileProduct(product, a[first + t] + j, a.stride(), x + t * kTile, kTile, count);
      double* const to = out + (j - begin) * kTile;
      for (size_t i = 0; i < std::min(kTile, end - j) * kTile; ++i) to[i] += product[i];
    }
  }
}

}  // namespace dunnock
