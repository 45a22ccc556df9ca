#pragma once
// MemoryClaim: memory that counts as in use although no AlignedBuffer holds it, such as weights
// that are mapped from a file: a budget bounds them too.

#include <cstdint>

namespace dunnock {

class MemoryClaim {
 public:
  // Throws OutOfMemory (memory.h) if the budget has no room for so many bytes.
  explicit MemoryClaim(uint64_t bytes);
  MemoryClaim(const MemoryClaim&) = delete;
  MemoryClaim& operator=(const MemoryClaim&) = delete;
  ~MemoryClaim();

 private:
  uint64_t bytes_;
};

}  // namespace dunnock
