#pragma once
// The memory that models use: weights, keys and values, rows of activations. It is counted, so that
// a budget can be set and an error can say how much was in use.
//
// Kernels have no way to return an error, so they throw OutOfMemory; a ThreadPool carries the
// exception to the thread that runs the loop. CatchOutOfMemory turns it into an error of code
// kMemory in the public functions of the engine (loading, generating, encoding): no exception
// leaves those.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <stdexcept>
#include <string>
#include <type_traits>

#include "base/result.h"

namespace dunnock {

// Thrown by AlignedBuffer. what() says how much was wanted, was in use, and is allowed.
class OutOfMemory : public std::bad_alloc {
 public:
  explicit OutOfMemory(uint64_t wanted_bytes);
  const char* what() const noexcept override { return what_.c_str(); }

 private:
  std::string what_;
};

// The largest number of bytes that all AlignedBuffers of this process may hold together; 0, the
// default: no limit but the system's. Existing buffers stay. Any thread may call both functions.
void SetMemoryBudget(uint64_t bytes);
uint64_t MemoryInUse();  // bytes in all AlignedBuffers

// Memory on a 64-byte boundary, on huge pages if it is large. For one thread at a time.
class AlignedBuffer {
 public:
  AlignedBuffer() = default;
  AlignedBuffer(AlignedBuffer&& other) noexcept;
  AlignedBuffer& operator=(AlignedBuffer&& other) noexcept;
  ~AlignedBuffer() { Release(); }

  // Makes sure there are at least so many bytes. The address and the contents stay unless the
  // buffer has to grow; then the contents are lost. Throws OutOfMemory and then holds nothing. The
  // size has 64 bits on 32-bit machines too, so that a size too large for them is an error and does
  // not wrap.
  void* Reserve(uint64_t bytes);
  void Release();
  size_t size() const { return size_; }

 private:
  void* memory_ = nullptr;
  size_t size_ = 0;
};

// Scratch buffers of the calling thread, one per slot, that kernels keep from one call to the next.
// Buffers above 1 MiB are freed when the thread's outermost ThreadPool::Use ends, all of them when
// the thread ends.
enum class ScratchSlot {
  kGemm,
  kAttention,
  kRotation,
  kNorm,
  kActivations,
  kActivationsEnd = kActivations + 3
};
AlignedBuffer& ThreadScratch(ScratchSlot slot);
void ReleaseThreadScratch();  // frees the buffers above 1 MiB

// The error of code kMemory for an exception that reports that memory ran out.
Error OutOfMemoryError(const std::exception& exception);

// Calls body(), which returns a Result or a Status, and returns kMemory if memory runs out in it.
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
