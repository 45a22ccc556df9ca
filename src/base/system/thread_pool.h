#pragma once
// A pool of threads for loops whose result must not depend on the number of threads: every index is
// computed alone. Each thread works through one contiguous range, in pieces that shrink towards its
// end; who is done takes pieces of the others', so that a core that is slow or busy elsewhere does
// not hold up the loop. A pool of one starts no thread. Workers spin for a moment after a loop (the
// next one of a layer follows within microseconds), then sleep.
//
// Any number of threads may use one pool at once: its workers help one loop at a time, and a loop
// that finds them busy runs whole on the thread that called it. Neither changes a result.

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <mutex>
#include <thread>
#include <type_traits>
#include <vector>

namespace dunnock {

class ThreadPool {
 public:
  // So many threads, or as many as the system gives.
  explicit ThreadPool(size_t threads);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  size_t threads() const { return workers_.size() + 1; }

  // Calls body(begin, end) for a partition of [0, count) into ranges whose bounds are multiples of
  // `granule` (but the last). Returns when all are done. A loop inside a loop runs on the calling
  // thread. What a body throws on any thread is thrown here, once the others are done (the first of
  // several).
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

  // A pointer of the calling thread, nullptr at first, that its loops carry to every thread that
  // works for them. Whose it is and what it points at is kernels/observer.h's.
  static void* Companion();
  static void SetCompanion(void* companion);

  // Cores that this process may use, at least 1: the physical ones that its affinity mask holds, at
  // most as many as the CPU quota of its control group pays for. In WebAssembly 1, the host knows
  // better.
  static size_t DefaultThreads();

 private:
  using Call = void (*)(const void* body, size_t begin, size_t end);
  // Read only by who has claimed a piece: while one is not done, the loop lives.
  struct Loop {
    Call call;
    const void* body;
    void* companion;
    size_t count, granule;
    uint32_t granules;
  };
  // What is left of a thread's range, in granules, and of which loop, in one word: a claim that
  // comes late, after its loop, fails.
  struct alignas(64) Share {
    std::atomic<uint64_t> word{0};
  };
  void Run(size_t count, size_t granule, Call call, const void* body);
  uint32_t RunPiece(Share& share, uint32_t generation);
  void RunShares(size_t index, uint32_t generation);
  void Work(size_t index);

  std::vector<std::thread> workers_;
  std::mutex loop_mutex_;            // held by the thread whose loop the workers help
  std::unique_ptr<Share[]> shares_;  // (threads)
  Loop loop_{};
  std::mutex error_mutex_;
  std::exception_ptr error_;                         // what a body threw
  alignas(64) std::atomic<uint32_t> generation_{0};  // a change starts a loop
  alignas(64) std::atomic<uint32_t> done_{0};        // granules of the loop
  std::atomic<bool> stop_{false};
};

}  // namespace dunnock
