#include "base/system/memory.h"

#include <array>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <limits>
#include <utility>

#include "base/str.h"
#include "base/system/huge_pages.h"
#include "base/system/memory_claim.h"

namespace dunnock {
namespace {

std::atomic<uint64_t> budget{0}, in_use{0};

std::string Megabytes(uint64_t bytes) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1f MB", static_cast<double>(bytes) / 1e6);
  return text;
}

// Counts bytes as in use and returns true, unless that would exceed the budget.
bool Count(uint64_t bytes) {
  const uint64_t before = in_use.fetch_add(bytes, std::memory_order_relaxed);
  const uint64_t most = budget.load(std::memory_order_relaxed);
  if (most == 0 || before + bytes <= most) return true;
  in_use.fetch_sub(bytes, std::memory_order_relaxed);
  return false;
}

}  // namespace

OutOfMemory::OutOfMemory(uint64_t wanted_bytes) {
  const uint64_t most = budget.load(std::memory_order_relaxed);
  what_ = Str("out of memory: ", Megabytes(wanted_bytes), " more were needed beside the ",
              Megabytes(MemoryInUse()), " in use",
              most == 0 ? "" : Str(", the budget is ", Megabytes(most)));
}

void SetMemoryBudget(uint64_t bytes) { budget = bytes; }
uint64_t MemoryInUse() { return in_use.load(std::memory_order_relaxed); }

MemoryClaim::MemoryClaim(uint64_t bytes) : bytes_(bytes) {
  if (!Count(bytes)) throw OutOfMemory(bytes);
}
MemoryClaim::~MemoryClaim() { in_use.fetch_sub(bytes_, std::memory_order_relaxed); }

AlignedBuffer::AlignedBuffer(AlignedBuffer&& other) noexcept
    : memory_(std::exchange(other.memory_, nullptr)), size_(std::exchange(other.size_, 0)) {}

AlignedBuffer& AlignedBuffer::operator=(AlignedBuffer&& other) noexcept {
  std::swap(memory_, other.memory_);
  std::swap(size_, other.size_);
  return *this;
}

void* AlignedBuffer::Reserve(uint64_t bytes) {
  if (bytes <= size_) return memory_;
  Release();
  const size_t alignment = bytes < 2 * kHugePage ? 64 : kHugePage;
  // Leaves room for rounding up and for the allocator's own data.
  if (bytes > std::numeric_limits<size_t>::max() / 2) throw OutOfMemory(bytes);
  const size_t size = (static_cast<size_t>(bytes) + alignment - 1) / alignment * alignment;
  if (!Count(size)) throw OutOfMemory(size);
  memory_ = std::aligned_alloc(alignment, size);
  if (memory_ == nullptr) {
    in_use.fetch_sub(size, std::memory_order_relaxed);
    throw OutOfMemory(size);
  }
  size_ = size;
  if (alignment == kHugePage) PreferHugePages(memory_, size_);
  return memory_;
}

void AlignedBuffer::Release() {
  std::free(std::exchange(memory_, nullptr));
  in_use.fetch_sub(std::exchange(size_, 0), std::memory_order_relaxed);
}

namespace {
thread_local std::array<AlignedBuffer, static_cast<size_t>(ScratchSlot::kActivationsEnd)> scratch;
}

AlignedBuffer& ThreadScratch(ScratchSlot slot) { return scratch[static_cast<size_t>(slot)]; }

void ReleaseThreadScratch() {
  constexpr size_t kLarge = size_t{1} << 20;
  for (AlignedBuffer& buffer : scratch) {
    if (buffer.size() > kLarge) buffer.Release();
  }
}

Error OutOfMemoryError(const std::exception& exception) {
  const auto* const ours = dynamic_cast<const OutOfMemory*>(&exception);
  return {ErrorCode::kMemory, ours != nullptr
                                  ? ours->what()
                                  : Str("out of memory: the system gave no more beside the ",
                                        Megabytes(MemoryInUse()), " of the model's buffers")};
}

}  // namespace dunnock
