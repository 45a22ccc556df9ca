#pragma once
// Rows: a view of a float matrix, one token a row. Scratch: memory for the rows of one forward
// pass, grown once and reused, so that a decode step allocates nothing.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "base/check.h"
#include "base/system/memory.h"

namespace dunnock {

struct Rows {
  float* data = nullptr;
  size_t count = 0;  // rows
  size_t cols = 0;

  float* operator[](size_t row) const { return data + row * cols; }
  size_t size() const { return count * cols; }
  Rows Part(size_t begin, size_t end) const { return {data + begin * cols, end - begin, cols}; }
  // As many rows of other columns in the memory behind these.
  Rows Behind(size_t other_cols) const { return {data + size(), count, other_cols}; }
};

struct ConstRows {
  const float* data = nullptr;
  size_t count = 0;
  size_t cols = 0;

  ConstRows() = default;
  ConstRows(const float* d, size_t n, size_t c) : data(d), count(n), cols(c) {}
  ConstRows(const Rows& rows)
      : data(rows.data), count(rows.count), cols(rows.cols) {}  // NOLINT: a view of a view
  const float* operator[](size_t row) const { return data + row * cols; }
  size_t size() const { return count * cols; }
  ConstRows Part(size_t begin, size_t end) const {
    return {data + begin * cols, end - begin, cols};
  }
};

// Rows in the memory of a buffer, whose contents are lost when it grows. Throws OutOfMemory.
Rows ReserveRows(AlignedBuffer& buffer, size_t count, size_t cols);

// Hands out rows from one buffer after another; Reset() takes all back. Growing never moves rows
// that were handed out.
class Scratch {
 public:
  Rows Get(size_t count, size_t cols);
  void Reset();

 private:
  std::vector<std::unique_ptr<AlignedBuffer>> blocks_;
  size_t next_ = 0;
};

}  // namespace dunnock
