#pragma once
// The memory that models live in: weights, keys and values, rows of activations. It is counted, so
// that a budget can be set and an error can say how much was in use.
//
// Kernels have no way to return an error: memory that cannot be had is an exception there, which a
// ThreadPool carries to the thread that runs the loop. CatchOutOfMemory makes it a Status at the
// doors of the engine (loading, generating, encoding); no exception leaves those.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <stdexcept>
#include <string>
#include <type_traits>

#include "base/result.h"

namespace dunnock {

// Thrown by AlignedBuffer; what() has the numbers.
class OutOfMemory : public std::bad_alloc {
 public:
  explicit OutOfMemory(uint64_t wanted_bytes);
  const char* what() const noexcept override { return what_.c_str(); }

 private:
  std::string what_;
};

// The most bytes that the buffers of this process may hold together; 0, the default: no limit but
// the system's. Buffers that are there already stay.
void SetMemoryBudget(uint64_t bytes);
uint64_t MemoryInUse();

// Memory on a 64-byte boundary that keeps its address while it does not grow. Not for use from two
// threads at once.
class AlignedBuffer {
 public:
  AlignedBuffer() = default;
  AlignedBuffer(AlignedBuffer&& other) noexcept;
  AlignedBuffer& operator=(AlignedBuffer&& other) noexcept;
  ~AlignedBuffer() { Release(); }

  // At least so many bytes; contents are lost when it grows. Throws OutOfMemory, and then holds
  // nothing. The size is of 64 bits on every machine: a product that wraps is an error, too.
  void* Reserve(uint64_t bytes);
  void Release();
  size_t size() const { return size_; }

 private:
  void* memory_ = nullptr;
  size_t size_ = 0;
};

// Scratch of the calling thread that kernels keep from one call to the next; the slot tells its
// users apart. What is large of it is given back when the thread's outermost ThreadPool::Use ends,
// all of it when the thread does.
enum class ScratchSlot {
  kGemm,
  kAttention,
  kRotation,
  kNorm,
  kActivations,
  kActivationsEnd = kActivations + 3
};
AlignedBuffer& ThreadScratch(ScratchSlot slot);
void ReleaseThreadScratch();

// The error of code kMemory for an exception that says that memory ran out.
Error OutOfMemoryError(const std::exception& exception);

// Calls body(), which gives a Result or a Status, and makes an error of memory that ran out.
template <typename Body>
std::invoke_result_t<Body> CatchOutOfMemory(const Body& body) {
  try {
    return body();
  } catch (const std::bad_alloc& e) {
    return std::unexpected(OutOfMemoryError(e));
  } catch (const std::length_error& e) {  // a container's size beyond all memory
    return std::unexpected(OutOfMemoryError(e));
  }
}

}  // namespace dunnock
