#include "quant/hessian.h"

#include <algorithm>

#include "base/check.h"
#include "base/system/thread_pool.h"
#include "kernels/activations.h"
#include "kernels/matmul.h"
#include "kernels/packing/pack.h"

namespace dunnock {
namespace {

// sum += left * right^T, both (cols, n).
void AddProduct(SquareMatrix& sum, ConstRows left, ConstRows right) {
  const size_t cols = sum.size();
  const Weight weight = PackRows(
      WeightEncoding::kInt8, cols, right.cols,
      [&](size_t row, std::span<float> out) { std::copy_n(right[row], right.cols, out.begin()); });
  // A strip at a time, so that the product is small beside the sum.
  constexpr size_t kStrip = 256;
  std::vector<float> product(std::min(kStrip, cols) * cols);
  for (size_t first = 0; first < cols; first += kStrip) {
    const size_t count = std::min(kStrip, cols - first);
    const Rows out{product.data(), count, cols};
    MatMul(out, left.Part(first, first + count), weight);
    ThreadPool::Current().ParallelFor(count, 16, [&](size_t begin, size_t end) {
      for (size_t i = begin; i < end; ++i) {
        double* const to = sum[first + i];
        for (size_t j = 0; j < cols; ++j) to[j] += out[i][j];
      }
    });
  }
}

// Calls put(begin, end) for parts of the rows [0, count) that fit into the queue, and flush() each
// time that it is full.
template <typename Put, typename Flush>
void Fill(const RowQueue& queue, size_t count, const Put& put, const Flush& flush) {
  for (size_t begin = 0; begin < count;) {
    const size_t end = std::min(count, begin + queue.room());
    put(begin, end);
    begin = end;
    if (queue.room() == 0) flush();
  }
}

}  // namespace

RowQueue::RowQueue(size_t cols, size_t rotation)
    : cols_(cols), rotation_(rotation), rows_(kRows * cols), columns_(kRows * cols) {
  DUNNOCK_CHECK(cols > 0 && cols <= kMostHessianCols && rotation > 0 && cols % rotation == 0);
}

void RowQueue::Add(ConstRows x) {
  DUNNOCK_CHECK(x.cols == cols_ && x.count <= room());
  ThreadPool::Current().ParallelFor(x.count, 16, [&](size_t begin, size_t end) {
    for (size_t t = begin; t < end; ++t) {
      float* const row = &rows_[(count_ + t) * cols_];
      std::copy_n(x[t], cols_, row);
      if (rotation_ > 1) Rotate(row, cols_, rotation_);
    }
  });
  count_ += x.count;
}

ConstRows RowQueue::TakeColumns() {
  constexpr size_t kTileRows = 16;
  const size_t count = count_;
  ThreadPool::Current().ParallelFor(cols_, kTileRows, [&](size_t begin, size_t end) {
    for (size_t t = 0; t < count; t += kTileRows) {
      for (size_t k = begin; k < end; ++k) {
        for (size_t i = t; i < std::min(count, t + kTileRows); ++i)
          columns_[k * count + i] = rows_[i * cols_ + k];
      }
    }
  });
  count_ = 0;
  return {columns_.data(), cols_, count};
}

Hessian::Hessian(size_t cols, size_t rotation) : x_(cols, rotation), sum_(cols) {}

void Hessian::Add(ConstRows x) {
  tokens_ += x.count;
  Fill(x_, x.count, [&](size_t begin, size_t end) { x_.Add(x.Part(begin, end)); }, [&] { Sum(); });
}

const SquareMatrix& Hessian::Sum() {
  if (x_.count() > 0) {
    const ConstRows columns = x_.TakeColumns();
    AddProduct(sum_, columns, columns);
  }
  return sum_;
}

CrossTerm::CrossTerm(size_t cols, size_t rotation)
    : other_(cols, rotation), x_(cols, rotation), sum_(cols) {}

void CrossTerm::Add(ConstRows other, ConstRows x) {
  DUNNOCK_CHECK(other.count == x.count);
  tokens_ += x.count;
  Fill(
      x_, x.count,
      [&](size_t begin, size_t end) {
        other_.Add(other.Part(begin, end));
        x_.Add(x.Part(begin, end));
      },
      [&] { Sum(); });
}

const SquareMatrix& CrossTerm::Sum() {
  if (x_.count() > 0) {
    const ConstRows other = other_.TakeColumns();
    AddProduct(sum_, other, x_.TakeColumns());
  }
  return sum_;
}

}  // namespace dunnock
