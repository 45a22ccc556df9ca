#include "base/system/thread_pool.h"

#include <gtest/gtest.h>

#include <atomic>
#include <stdexcept>
#include <thread>
#include <vector>

namespace dunnock {
namespace {

TEST(ThreadPool, EveryIndexOnceForAnyNumberOfThreads) {
  for (size_t threads : {1, 2, 3, 7}) {
    ThreadPool pool(threads);
    EXPECT_EQ(pool.threads(), threads);
    for (size_t count : {0, 1, 2, 15, 16, 17, 1000}) {
      for (size_t granule : {1, 4, 16}) {
        std::vector<int> hits(count, 0);
        pool.ParallelFor(count, granule, [&](size_t begin, size_t end) {
          EXPECT_EQ(begin % granule, 0u);
          for (size_t i = begin; i < end; ++i) ++hits[i];
        });
        EXPECT_EQ(hits, std::vector<int>(count, 1)) << threads << " " << count << " " << granule;
      }
    }
  }
}

TEST(ThreadPool, ManyShortLoops) {
  ThreadPool pool(3);
  std::atomic<size_t> sum = 0;
  for (int loop = 0; loop < 20000; ++loop) {
    pool.ParallelFor(3, 1, [&](size_t begin, size_t end) { sum += end - begin; });
  }
  EXPECT_EQ(sum, 60000u);
}

// A thread that is held up costs the loop its piece at hand, not its whole range.
TEST(ThreadPool, OthersTakeWhatASlowThreadLeaves) {
  ThreadPool pool(2);
  std::vector<int> hits(100, 0);
  std::atomic<bool> held = false, release = false;
  std::atomic<size_t> others = 0;
  pool.ParallelFor(hits.size(), 1, [&](size_t begin, size_t end) {
    if (!held.exchange(true)) {
      while (!release) std::this_thread::yield();
    } else if ((others += end - begin) >= 83) {  // all but the first piece, a third of a half
      release = true;
    }
    for (size_t i = begin; i < end; ++i) ++hits[i];
  });
  EXPECT_EQ(hits, std::vector<int>(hits.size(), 1));
}

TEST(ThreadPool, ALoopInsideALoopRunsOnItsThread) {
  ThreadPool pool(2);
  const ThreadPool::Use use(pool);
  std::atomic<size_t> sum = 0;
  ThreadPool::Current().ParallelFor(8, 1, [&](size_t begin, size_t end) {
    ThreadPool::Current().ParallelFor(end - begin, 1, [&](size_t b, size_t e) { sum += e - b; });
  });
  EXPECT_EQ(sum, 8u);
}

// Whoever calls gets a whole loop: with the workers' help, or alone where they help another.
TEST(ThreadPool, ManyThreadsUseOnePool) {
  for (const size_t callers : {2, 8}) {
    ThreadPool pool(2);
    std::vector<std::vector<int>> hits(callers, std::vector<int>(97, 0));
    std::vector<std::thread> threads;
    for (std::vector<int>& own : hits) {
      threads.emplace_back([&] {
        for (int loop = 0; loop < 500; ++loop) {
          pool.ParallelFor(own.size(), 1, [&](size_t begin, size_t end) {
            for (size_t i = begin; i < end; ++i) ++own[i];
          });
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    for (const std::vector<int>& own : hits) EXPECT_EQ(own, std::vector<int>(own.size(), 500));
  }
}

TEST(ThreadPool, AThrowReachesTheCallerWhoseLoopItIsAndThePoolGoesOn) {
  ThreadPool pool(2);
  std::atomic<size_t> caught = 0, sum = 0;
  std::vector<std::thread> threads;
  for (int caller = 0; caller < 4; ++caller) {
    threads.emplace_back([&, throws = caller % 2 == 0] {
      for (int loop = 0; loop < 200; ++loop) {
        try {
          pool.ParallelFor(8, 1, [&](size_t begin, size_t end) {
            if (throws && begin <= 3 && 3 < end) throw std::runtime_error("three");
            if (!throws) sum += end - begin;
          });
          EXPECT_FALSE(throws);
        } catch (const std::runtime_error&) {
          EXPECT_TRUE(throws);
          ++caught;
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(caught, 400u);
  EXPECT_EQ(sum, 3200u);
}

TEST(ThreadPool, UseNests) {
  ThreadPool a(1), b(2);
  const ThreadPool* outside = &ThreadPool::Current();
  {
    const ThreadPool::Use use_a(a);
    EXPECT_EQ(&ThreadPool::Current(), &a);
    {
      const ThreadPool::Use use_b(b);
      EXPECT_EQ(&ThreadPool::Current(), &b);
    }
    EXPECT_EQ(&ThreadPool::Current(), &a);
  }
  EXPECT_EQ(&ThreadPool::Current(), outside);
}

}  // namespace
}  // namespace dunnock
