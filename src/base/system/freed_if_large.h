#pragma once
// A buffer that each thread keeps spares every short text an allocation. What one long text made of
// it is given back when the function that fills it ends.

#include <cstddef>

namespace dunnock {

template <typename Buffer>  // a vector or a string
class FreedIfLarge {
 public:
  static constexpr size_t kLarge = size_t{1} << 20;  // bytes

  explicit FreedIfLarge(Buffer* buffer) : buffer_(*buffer) {}
  FreedIfLarge(const FreedIfLarge&) = delete;
  FreedIfLarge& operator=(const FreedIfLarge&) = delete;
  ~FreedIfLarge() {
    if (buffer_.capacity() * sizeof(typename Buffer::value_type) > kLarge) Buffer().swap(buffer_);
  }

 private:
  Buffer& buffer_;
};

}  // namespace dunnock
