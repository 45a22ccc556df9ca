#include "tensor/rows.h"

#include <cstdlib>

#include "base/huge_pages.h"

namespace dunnock {

void AlignedBuffer::Free::operator()(void* p) const { std::free(p); }

void* AlignedBuffer::Reserve(size_t bytes) {
  if (bytes > size_) {
    const size_t alignment = bytes < 2 * kHugePage ? 64 : kHugePage;
    size_ = (bytes + alignment - 1) / alignment * alignment;
    memory_.reset();
    memory_.reset(std::aligned_alloc(alignment, size_));
    DUNNOCK_CHECK(memory_ != nullptr);
    if (alignment == kHugePage) PreferHugePages(memory_.get(), size_);
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
