#pragma once
// Memory of packed weights. Many weights share an arena of 64 MiB, large enough for huge pages; an
// arena lives as long as any of its weights. Any number of threads may take memory at once.

#include <cstdint>
#include <memory>

#include "base/bytes.h"

namespace dunnock {

class WeightArena;

// `size` bytes of zeros on a 64-byte boundary. Throws OutOfMemory.
class WeightMemory {
 public:
  explicit WeightMemory(size_t size);

  uint8_t* data() const { return data_; }
  size_t size() const { return size_; }
  // The bytes as a Blob that keeps them alive.
  Blob ToBlob() const;

 private:
  size_t size_;
  std::shared_ptr<WeightArena> arena_;
  uint8_t* data_;
};

}  // namespace dunnock
