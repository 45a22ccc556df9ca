#include "quant/hessian.h"

#include <algorithm>

#include "base/check.h"
#include "base/system/thread_pool.h"
#include "kernels/activations.h"
#include "kernels/tile_product.h"

namespace dunnock {
namespace {

constexpr size_t kRows = 128;  // whose products are summed in float32

size_t TilesOf(size_t cols) { return (cols + kTile - 1) / kTile; }

// Rotates the rows and puts them behind `pending` others: tile c holds columns 16 c..16 c + 15 of
// all kRows rows.
void PutRows(std::vector<float>& tiles, size_t pending, ConstRows x, size_t rotation) {
  ThreadPool::Current().ParallelFor(x.count, 1, [&](size_t begin, size_t end) {
    std::vector<float> row(TilesOf(x.cols) * kTile);
    for (size_t t = begin; t < end; ++t) {
      std::copy_n(x[t], x.cols, row.begin());
      if (rotation > 1) Rotate(row.data(), x.cols, rotation);
      for (size_t c = 0; c < row.size(); c += kTile)
        std::copy_n(&row[c], kTile, &tiles[c * kRows + (pending + t) * kTile]);
    }
  });
}

// sum += left^T right over the first `count` rows; only the lower half if `lower`.
void AddProducts(SquareMatrix& sum, const std::vector<float>& left, const std::vector<float>& right,
                 size_t count, bool lower) {
  const size_t tiles = TilesOf(sum.size());
  ThreadPool::Current().ParallelFor(tiles, 1, [&](size_t begin, size_t end) {
    float product[kTile * kTile];
    for (size_t i = begin; i < end; ++i) {
      for (size_t j = 0; j < (lower ? i + 1 : tiles); ++j) {
        TileProduct(product, &left[i * kTile * kRows], kTile, &right[j * kTile * kRows], kTile,
                    count);
        for (size_t r = 0; r < std::min(kTile, sum.size() - i * kTile); ++r) {
          double* const to = sum[i * kTile + r] + j * kTile;
          for (size_t c = 0; c < kTile; ++c) to[c] += product[r * kTile + c];
        }
      }
    }
  });
}

// Calls put(part) for parts of the rows [0, count) that fill up `pending` rows to kRows, and
// flush() after each that does.
template <typename Put, typename Flush>
void InBatches(size_t count, size_t& pending, const Put& put, const Flush& flush) {
  for (size_t begin = 0; begin < count;) {
    const size_t end = std::min(count, begin + kRows - pending);
    put(begin, end);
    pending += end - begin;
    begin = end;
    if (pending == kRows) flush();
  }
}

}  // namespace

Hessian::Hessian(size_t cols, size_t rotation)
    : rotation_(rotation), rows_(TilesOf(cols) * kTile * kRows), sum_(cols) {
  DUNNOCK_CHECK(cols > 0 && cols <= kMostHessianCols && rotation > 0 && cols % rotation == 0);
}

void Hessian::Add(ConstRows x) {
  DUNNOCK_CHECK(x.cols == sum_.size());
  tokens_ += x.count;
  InBatches(
      x.count, pending_,
      [&](size_t begin, size_t end) { PutRows(rows_, pending_, x.Part(begin, end), rotation_); },
      [&] { Flush(); });
}

void Hessian::Flush() {
  if (pending_ == 0) return;
  AddProducts(sum_, rows_, rows_, pending_, true);
  pending_ = 0;
}

const SquareMatrix& Hessian::Sum() {
  Flush();
  ThreadPool::Current().ParallelFor(sum_.size(), kTile, [&](size_t begin, size_t end) {
    for (size_t i = begin; i < end; ++i) {
      for (size_t j = i + 1; j < sum_.size(); ++j) sum_[i][j] = sum_[j][i];
    }
  });
  return sum_;
}

CrossTerm::CrossTerm(size_t cols, size_t rotation)
    : rotation_(rotation), other_(TilesOf(cols) * kTile * kRows), rows_(other_.size()), sum_(cols) {
  DUNNOCK_CHECK(cols > 0 && cols <= kMostHessianCols && rotation > 0 && cols % rotation == 0);
}

void CrossTerm::Add(ConstRows other, ConstRows x) {
  DUNNOCK_CHECK(x.cols == sum_.size() && other.cols == x.cols && other.count == x.count);
  tokens_ += x.count;
  InBatches(
      x.count, pending_,
      [&](size_t begin, size_t end) {
        PutRows(other_, pending_, other.Part(begin, end), rotation_);
        PutRows(rows_, pending_, x.Part(begin, end), rotation_);
      },
      [&] { Flush(); });
}

void CrossTerm::Flush() {
  if (pending_ == 0) return;
  AddProducts(sum_, other_, rows_, pending_, false);
  pending_ = 0;
}

const SquareMatrix& CrossTerm::Sum() {
  Flush();
  return sum_;
}

}  // namespace dunnock
