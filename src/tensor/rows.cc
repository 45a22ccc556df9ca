#include "tensor/rows.h"

#include <cstdlib>

namespace dunnock {

void AlignedBuffer::Free::operator()(void* p) const { std::free(p); }

void* AlignedBuffer::Reserve(size_t bytes) {
  if (bytes > size_) {
    size_ = (bytes + 63) / 64 * 64;
    memory_.reset();
    memory_.reset(std::aligned_alloc(64, size_));
    DUNNOCK_CHECK(memory_ != nullptr);
  }
  return memory_.get();
}

Rows Scratch::Get(size_t count, size_t cols) {
  if (next_ == blocks_.size()) blocks_.push_back(std::make_unique<AlignedBuffer>());
  return {static_cast<float*>(blocks_[next_++]->Reserve(count * cols * sizeof(float))), count,
          cols};
}

void Scratch::Reset() { next_ = 0; }

}  // namespace dunnock
