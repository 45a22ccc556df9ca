#include "base/thread_pool.h"

#include <algorithm>
#include <fstream>
#include <set>
#include <string>
#include <utility>

#include "base/check.h"

namespace dunnock {
namespace {

thread_local ThreadPool* current_pool = nullptr;
thread_local bool inside_loop = false;

// Long enough for the gap between two loops of a decode step, short enough not to burn a core.
constexpr int kSpins = 4000;

void Pause() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

}  // namespace

ThreadPool::ThreadPool(size_t threads) {
  DUNNOCK_CHECK(threads >= 1 && threads <= 1024);
  workers_.reserve(threads - 1);
  for (size_t i = 1; i < threads; ++i) workers_.emplace_back([this, i] { Work(i); });
}

ThreadPool::~ThreadPool() {
  stop_ = true;
  generation_.fetch_add(1);
  generation_.notify_all();
  for (std::thread& worker : workers_) worker.join();
}

void ThreadPool::RunShare(const Loop& loop, size_t index) const {
  const size_t granules = (loop.count + loop.granule - 1) / loop.granule;
  const size_t begin = granules * index / threads() * loop.granule;
  const size_t end = std::min(loop.count, granules * (index + 1) / threads() * loop.granule);
  if (begin < end) loop.call(loop.body, begin, end);
}

void ThreadPool::Run(size_t count, size_t granule, Call call, const void* body) {
  if (count == 0) return;
  if (workers_.empty() || inside_loop || count <= granule) {
    call(body, 0, count);
    return;
  }
  inside_loop = true;
  loop_ = {call, body, count, granule};
  pending_.store(static_cast<uint32_t>(workers_.size()), std::memory_order_relaxed);
  generation_.fetch_add(1, std::memory_order_release);
  generation_.notify_all();
  RunShare(loop_, 0);
  for (int spins = 0;;) {
    const uint32_t pending = pending_.load(std::memory_order_acquire);
    if (pending == 0) break;
    if (++spins < kSpins) {
      Pause();
    } else {
      pending_.wait(pending, std::memory_order_acquire);
    }
  }
  inside_loop = false;
}

void ThreadPool::Work(size_t index) {
  inside_loop = true;
  uint32_t seen = 0;
  for (;;) {
    for (int spins = 0; generation_.load(std::memory_order_acquire) == seen;) {
      if (++spins < kSpins) {
        Pause();
      } else {
        generation_.wait(seen, std::memory_order_acquire);
      }
    }
    ++seen;
    if (stop_) return;
    RunShare(loop_, index);
    if (pending_.fetch_sub(1, std::memory_order_acq_rel) == 1) pending_.notify_all();
  }
}

ThreadPool& ThreadPool::Current() {
  static ThreadPool alone(1);
  return current_pool != nullptr ? *current_pool : alone;
}

ThreadPool::Use::Use(ThreadPool& pool) : outer_(std::exchange(current_pool, &pool)) {}
ThreadPool::Use::~Use() { current_pool = outer_; }

size_t ThreadPool::DefaultThreads() {
  const size_t logical = std::max(1u, std::thread::hardware_concurrency());
  // Two hyperthreads share the arithmetic units that the kernels keep busy: count cores, where the
  // system tells.
  std::set<std::string> cores;
  for (size_t cpu = 0; cpu < logical; ++cpu) {
    std::ifstream file("/sys/devices/system/cpu/cpu" + std::to_string(cpu) +
                       "/topology/thread_siblings");
    std::string siblings;
    if (!(file >> siblings)) return logical;
    cores.insert(siblings);
  }
  return std::max<size_t>(1, cores.size());
}

}  // namespace dunnock
