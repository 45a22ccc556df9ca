#include "quant/hessian.h"

#include <algorithm>

#include "base/check.h"
#include "base/system/thread_pool.h"
#include "kernels/activations.h"
#include "kernels/matmul.h"
#include "kernels/packing/pack.h"

namespace dunnock {
namespace {

enum class Half { kBoth, kLower };

// sum += left * right^T, both (cols, n); kLower: what lies below the diagonal, and some beside it.
void AddProduct(SquareMatrix& sum, ConstRows left, ConstRows right, Half half) {
  const size_t cols = sum.size();
  const Weight weight = PackRows(
      WeightEncoding::kInt8, cols, right.cols,
      [&](size_t row, std::span<float> out) { std::copy_n(right[row], right.cols, out.begin()); });
  // A strip at a time, so that the product is small beside the sum.
  constexpr size_t kStrip = 128;
  std::vector<float> product(std::min(kStrip, cols) * cols);
  for (size_t first = 0; first < cols; first += kStrip) {
    const size_t count = std::min(kStrip, cols - first);
    Weight part = weight;
    if (half == Half::kLower) part.rows = first + count;
    const Rows out{product.data(), count, part.rows};
    MatMul(out, left.Part(first, first + count), part);
    ThreadPool::Current().ParallelFor(count, 16, [&](size_t begin, size_t end) {
      for (size_t i = begin; i < end; ++i) {
        double* const to = sum[first + i];
        for (size_t j = 0; j < out.cols; ++j) to[j] += out[i][j];
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
  Fill(
      x_, x.count, [&](size_t begin, size_t end) { x_.Add(x.Part(begin, end)); }, [&] { Flush(); });
}

void Hessian::Flush() {
  if (x_.count() == 0) return;
  const ConstRows columns = x_.TakeColumns();
  AddProduct(sum_, columns, columns, Half::kLower);
}

const SquareMatrix& Hessian::Sum() {
  Flush();
  ThreadPool::Current().ParallelFor(sum_.size(), 16, [&](size_t begin, size_t end) {
    for (size_t i = begin; i < end; ++i) {
      for (size_t j = i + 1; j < sum_.size(); ++j) sum_[i][j] = sum_[j][i];
    }
  });
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
    AddProduct(sum_, other, x_.TakeColumns(), Half::kBoth);
  }
  return sum_;
}

}  // namespace dunnock
