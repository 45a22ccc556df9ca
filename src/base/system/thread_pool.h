#pragma once
// ThreadPool: runs loops on several threads. Every index of a loop is computed alone, so results do
// not depend on the number of threads. Each thread works through one contiguous range, in pieces
// that shrink towards its end, and then takes pieces of other threads' ranges, so that a core that
// is slow or busy elsewhere does not hold up the loop. A pool of one starts no thread. After a loop
// the workers spin for a moment (the next loop of a layer follows within microseconds), then sleep.
//
// Any number of threads may use one pool at once: its workers help one loop at a time, and a loop
// that finds them busy runs entirely on the thread that called it. Results are the same either way.

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
  // A pool of `threads` threads, the caller of a loop included, or fewer if the system does not
  // allow so many.
  explicit ThreadPool(size_t threads);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  size_t threads() const { return workers_.size() + 1; }

  // Calls body(begin, end), from several threads at once, for ranges that partition [0, count); all
  // bounds but `count` are multiples of `granule`. Returns when all are done. A loop inside a loop
  // runs on the calling thread. If bodies throw, the first exception is thrown here once all
  // threads are done.
  template <typename Body>
  void ParallelFor(size_t count, size_t granule, const Body& body) {
    Run(
        count, granule,
        [](const void* b, size_t begin, size_t end) { (*static_cast<const Body*>(b))(begin, end); },
        &body);
  }

  // The pool that kernels use on the calling thread: that of its innermost Use, else a pool of one.
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

  // A pointer of the calling thread, nullptr at first, that is also set on every thread that works
  // for its loops. kernels/observer.h uses it for the observer.
  static void* Companion();
  static void SetCompanion(void* companion);

  // The number of threads to use by default: UsableCores() of cpus.h. In WebAssembly it is 1,
  // because only the host knows how many workers it has.
  static size_t DefaultThreads();

 private:
  using Call = void (*)(const void* body, size_t begin, size_t end);
  // Read only by threads that have claimed a piece: until every piece is done, the loop lives.
  struct Loop {
    Call call;
    const void* body;
    void* companion;
    size_t count, granule;
    uint32_t granules;
  };
  // The rest of a thread's range, in granules, and the generation of its loop, in one word, so that
  // a claim that comes after its loop has ended fails.
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
  std::exception_ptr error_;                         // the first that a body threw
  alignas(64) std::atomic<uint32_t> generation_{0};  // changes when a loop starts
  alignas(64) std::atomic<uint32_t> done_{0};        // granules of the loop that are done
  std::atomic<bool> stop_{false};
};

}  // namespace dunnock
