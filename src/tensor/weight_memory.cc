#include "tensor/weight_memory.h"

#include <algorithm>
#include <cstring>
#include <mutex>

#include "base/system/memory.h"
#include "tensor/rows.h"

namespace dunnock {

class WeightArena {
 public:
  static constexpr size_t kSize = size_t{64} << 20;
  explicit WeightArena(size_t size)
      : begin_(static_cast<uint8_t*>(buffer_.Reserve(size))), size_(size) {}

  size_t free() const { return size_ - used_; }
  uint8_t* Take(size_t size) {
    uint8_t* const at = begin_ + used_;
    used_ += size;
    return at;
  }

 private:
  AlignedBuffer buffer_;
  uint8_t* begin_;
  size_t size_, used_ = 0;
};

WeightMemory::WeightMemory(size_t size) : size_(size) {
  static std::mutex mutex;
  static std::weak_ptr<WeightArena> last;
  const size_t room = std::max<size_t>((size + 63) / 64 * 64, 64);
  {
    const std::lock_guard lock(mutex);
    arena_ = last.lock();
    if (arena_ == nullptr || arena_->free() < room) {
      try {
        arena_ = std::make_shared<WeightArena>(std::max(room, WeightArena::kSize));
      } catch (const OutOfMemory&) {  // there may still be room for this weight alone
        arena_ = std::make_shared<WeightArena>(room);
      }
      last = arena_;
    }
    data_ = arena_->Take(room);
  }
  std::memset(data_, 0, size);
}

Blob WeightMemory::ToBlob() const { return Blob(ByteSpan(data_, size_), arena_); }

}  // namespace dunnock
