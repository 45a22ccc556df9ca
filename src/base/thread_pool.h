#pragma once
// A pool of threads for loops whose result must not depend on the number of threads: every index is
// computed alone, and each thread gets one contiguous range, always the same. A pool of one starts
// no thread. Workers spin for a moment after a loop (the next one of a layer follows within
// microseconds), then sleep.

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <thread>
#include <type_traits>
#include <vector>

namespace dunnock {

class ThreadPool {
 public:
  explicit ThreadPool(size_t threads);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  size_t threads() const { return workers_.size() + 1; }

  // Calls body(begin, end) once a thread, over a partition of [0, count) into contiguous ranges
  // whose bounds are multiples of `granule` (but the last). Returns when all are done. Not
  // reentrant: a loop inside a loop runs on the calling thread.
  template <typename Body>
  void ParallelFor(size_t count, size_t granule, const Body& body) {
    Run(
        count, granule,
        [](const void* b, size_t begin, size_t end) { (*static_cast<const Body*>(b))(begin, end); },
        &body);
  }

  // The pool that kernels use on this thread: the innermost Use, else a pool of one.
  static ThreadPool& Current();
  class Use {
   public:
    explicit Use(ThreadPool& pool);
    ~Use();
    Use(const Use&) = delete;
    Use& operator=(const Use&) = delete;

   private:
    ThreadPool* outer_;
  };

  // Physical cores this process may run on, at least 1.
  static size_t DefaultThreads();

 private:
  using Call = void (*)(const void* body, size_t begin, size_t end);
  struct Loop {
    Call call;
    const void* body;
    size_t count, granule;
  };
  void Run(size_t count, size_t granule, Call call, const void* body);
  void RunShare(const Loop& loop, size_t index) const;
  void Work(size_t index);

  std::vector<std::thread> workers_;
  Loop loop_{};
  std::atomic<uint32_t> generation_{0};  // odd bits are not used; a change starts a loop
  std::atomic<uint32_t> pending_{0};     // workers that have not finished the loop
  std::atomic<bool> stop_{false};
};

}  // namespace dunnock
