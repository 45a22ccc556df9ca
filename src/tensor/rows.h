#pragma once
// Rows: a view of a float matrix (count, cols), row-major without gaps, one row per token. It owns
// nothing. Scratch: memory for the rows of one forward pass, grown once and reused, so that a
// decode step allocates nothing.

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
  // Rows of the same count but other columns, in the memory that follows these.
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

// Rows in the memory of a buffer, valid until the buffer grows. Their contents are undefined.
// Throws OutOfMemory.
Rows ReserveRows(AlignedBuffer& buffer, size_t count, size_t cols);

// For one thread at a time.
class Scratch {
 public:
  // Rows of undefined contents, valid until Reset(); growing never moves rows handed out before.
  // Throws OutOfMemory.
  Rows Get(size_t count, size_t cols);
  // Takes back all rows and keeps the memory.
  void Reset();

 private:
  std::vector<std::unique_ptr<AlignedBuffer>> blocks_;
  size_t next_ = 0;
};

}  // namespace dunnock
