#pragma once
// Memory of packed weights. Many of them lie in one arena, so that they lie on huge pages; an arena
// lives as long as one of its weights. Any thread may take some.

#include <cstdint>
#include <memory>

#include "base/bytes.h"

namespace dunnock {

class WeightArena;

// Zeroed bytes on a 64-byte boundary; what nobody writes to takes no memory. Throws OutOfMemory.
class WeightMemory {
 public:
  explicit WeightMemory(size_t size);

  uint8_t* data() const { return data_; }
  size_t size() const { return size_; }
  // The bytes as a Blob that keeps them.
  Blob ToBlob() const;

 private:
  size_t size_;
  std::shared_ptr<WeightArena> arena_;
  uint8_t* data_;
};

}  // namespace dunnock
