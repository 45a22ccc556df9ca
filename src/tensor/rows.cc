#include "tensor/rows.h"

#include "base/checked.h"

namespace dunnock {

Rows ReserveRows(AlignedBuffer& buffer, size_t count, size_t cols) {
  const std::optional<uint64_t> values = CheckedMul(count, cols);
  const std::optional<uint64_t> bytes = values ? CheckedMul(*values, sizeof(float)) : values;
  if (!bytes) throw OutOfMemory(UINT64_MAX);
  return {static_cast<float*>(buffer.Reserve(*bytes)), count, cols};
}

Rows Scratch::Get(size_t count, size_t cols) {
  if (next_ == blocks_.size()) blocks_.push_back(std::make_unique<AlignedBuffer>());
  return ReserveRows(*blocks_[next_++], count, cols);
}

void Scratch::Reset() { next_ = 0; }

}  // namespace dunnock
