#include "base/system/thread_pool.h"

#include <algorithm>
#include <system_error>
#include <utility>

#include "base/check.h"
#include "base/system/memory.h"

namespace dunnock {
namespace {

thread_local ThreadPool* current_pool = nullptr;
thread_local bool inside_loop = false;
thread_local void* companion_of_thread = nullptr;

// Long enough for the gap between two loops of a decode step, short enough not to burn a core.
constexpr int kSpins = 4000;

void Pause() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

// A share's word: generation, then the first and the end of the granules that are left.
constexpr int kRangeBits = 20;
constexpr uint32_t kMostGranules = (1u << kRangeBits) - 1;
constexpr uint32_t kGenerationMask = (1u << (64 - 2 * kRangeBits)) - 1;

uint64_t Pack(uint32_t generation, uint64_t first, uint64_t end) {
  return uint64_t{generation & kGenerationMask} << (2 * kRangeBits) | first << kRangeBits | end;
}

}  // namespace

ThreadPool::ThreadPool(size_t threads) : shares_(std::make_unique<Share[]>(threads)) {
  DUNNOCK_CHECK(threads >= 1 && threads <= 1024);
  workers_.reserve(threads - 1);
  try {
    for (size_t i = 1; i < threads; ++i) workers_.emplace_back([this, i] { Work(i); });
  } catch (const std::system_error&) {
    // The system gives no more threads: fewer do the same work.
  }
}

ThreadPool::~ThreadPool() {
  stop_ = true;
  generation_.fetch_add(1);
  generation_.notify_all();
  for (std::thread& worker : workers_) worker.join();
}

// Claims a third of what is left of a share, and runs it. Returns its granules: 0, nothing was
// left.
uint32_t ThreadPool::RunPiece(Share& share, uint32_t generation) {
  uint64_t word = share.word.load(std::memory_order_acquire);
  uint64_t first, piece;
  do {
    if (word >> (2 * kRangeBits) != (generation & kGenerationMask)) return 0;
    first = word >> kRangeBits & kMostGranules;
    const uint64_t end = word & kMostGranules;
    if (first == end) return 0;
    piece = std::max<uint64_t>((end - first) / 3, 1);
  } while (!share.word.compare_exchange_weak(word, word + (piece << kRangeBits),
                                             std::memory_order_acq_rel));
  const Loop& loop = loop_;
  companion_of_thread = loop.companion;
  try {
    loop.call(loop.body, static_cast<size_t>(first) * loop.granule,
              std::min(loop.count, static_cast<size_t>(first + piece) * loop.granule));
  } catch (...) {
    const std::lock_guard lock(error_mutex_);
    if (error_ == nullptr) error_ = std::current_exception();
  }
  return static_cast<uint32_t>(piece);
}

// A thread's own share first, then the others'. What is done is told once a share: every telling
// takes the cache line away from the other cores.
void ThreadPool::RunShares(size_t index, uint32_t generation) {
  for (size_t i = 0; i < threads(); ++i) {
    Share& share = shares_[(index + i) % threads()];
    uint32_t ran = 0, granules = 0;
    while (const uint32_t piece = RunPiece(share, generation)) {
      ran += piece;
      granules = loop_.granules;
    }
    if (ran > 0 && done_.fetch_add(ran, std::memory_order_acq_rel) + ran == granules)
      done_.notify_one();
  }
}

void ThreadPool::Run(size_t count, size_t granule, Call call, const void* body) {
  if (count == 0) return;
  std::unique_lock<std::mutex> lock(loop_mutex_, std::defer_lock);
  if (workers_.empty() || inside_loop || count <= granule || !lock.try_lock()) {
    call(body, 0, count);
    return;
  }
  inside_loop = true;
  while ((count + granule - 1) / granule > kMostGranules) granule *= 2;
  const size_t granules = (count + granule - 1) / granule;
  loop_ = {call, body, companion_of_thread, count, granule, static_cast<uint32_t>(granules)};
  done_.store(0, std::memory_order_relaxed);
  const uint32_t generation = generation_.load(std::memory_order_relaxed) + 1;
  for (size_t i = 0; i < threads(); ++i) {
    shares_[i].word.store(
        Pack(generation, granules * i / threads(), granules * (i + 1) / threads()),
        std::memory_order_release);
  }
  generation_.store(generation, std::memory_order_release);
  generation_.notify_all();
  RunShares(0, generation);
  for (int spins = 0;;) {
    const uint32_t done = done_.load(std::memory_order_acquire);
    if (done == granules) break;
    if (++spins < kSpins) {
      Pause();
    } else {
      done_.wait(done, std::memory_order_acquire);
    }
  }
  inside_loop = false;
  if (error_ != nullptr) std::rethrow_exception(std::exchange(error_, nullptr));
}

void ThreadPool::Work(size_t index) {
  inside_loop = true;
  uint32_t seen = 0;
  for (;;) {
    uint32_t generation;
    for (int spins = 0; (generation = generation_.load(std::memory_order_acquire)) == seen;) {
      if (++spins < kSpins) {
        Pause();
      } else {
        generation_.wait(seen, std::memory_order_acquire);
      }
    }
    seen = generation;
    if (stop_) return;
    RunShares(index, generation);
  }
}

void* ThreadPool::Companion() { return companion_of_thread; }
void ThreadPool::SetCompanion(void* companion) { companion_of_thread = companion; }

ThreadPool& ThreadPool::Current() {
  static ThreadPool alone(1);
  return current_pool != nullptr ? *current_pool : alone;
}

ThreadPool::Use::Use(ThreadPool& pool) : outer_(std::exchange(current_pool, &pool)) {}
ThreadPool::Use::~Use() {
  current_pool = outer_;
  if (outer_ == nullptr) ReleaseThreadScratch();
}

}  // namespace dunnock
