#pragma once
// FreedIfLarge: for a thread_local buffer that a function reuses to avoid an allocation per call.
// At the end of the scope the memory is freed if it has grown above 1 MiB, so that one long text
// does not leave its memory in every thread.

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
