#include "base/system/memory.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <vector>

#include "base/system/freed_if_large.h"
#include "base/system/thread_pool.h"

namespace dunnock {
namespace {

// A budget for the length of a test.
struct Budget {
  explicit Budget(uint64_t bytes) { SetMemoryBudget(bytes); }
  ~Budget() { SetMemoryBudget(0); }
};

TEST(FreedIfLarge, KeepsSmallBuffersOnly) {
  std::vector<int32_t> buffer;
  const auto fill = [&](size_t count) {
    const FreedIfLarge freed(&buffer);
    buffer.assign(count, 1);
  };
  fill(1000);
  EXPECT_GE(buffer.capacity(), 1000u);
  fill((FreedIfLarge<std::vector<int32_t>>::kLarge >> 2) + 1);
  EXPECT_EQ(buffer.capacity(), 0u);
}

TEST(AlignedBuffer, GrowsKeepsItsAddressAndIsCounted) {
  const uint64_t before = MemoryInUse();
  AlignedBuffer buffer;
  void* const first = buffer.Reserve(1000);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(first) % 64, 0u);
  EXPECT_EQ(MemoryInUse() - before, 1024u);
  EXPECT_EQ(buffer.Reserve(10), first);
  EXPECT_EQ(buffer.Reserve(1024), first);
  buffer.Reserve(10'000'000);
  EXPECT_GE(buffer.size(), 10'000'000u);
  EXPECT_EQ(MemoryInUse() - before, buffer.size());
  AlignedBuffer other = std::move(buffer);
  EXPECT_EQ(buffer.size(), 0u);  // NOLINT: what was moved from is empty
  EXPECT_EQ(MemoryInUse() - before, other.size());
  other.Release();
  EXPECT_EQ(MemoryInUse(), before);
}

TEST(AlignedBuffer, WhatCannotBeHadIsAnErrorWithNumbers) {
  AlignedBuffer buffer;
  buffer.Reserve(100);
  for (const uint64_t bytes : {uint64_t{1} << 62, UINT64_MAX - 1}) {
    const Status status = CatchOutOfMemory([&]() -> Status {
      buffer.Reserve(bytes);
      return {};
    });
    ASSERT_FALSE(status) << bytes;
    EXPECT_EQ(status.error().code, ErrorCode::kMemory);
    EXPECT_NE(status.error().message.find("MB more were needed beside"), std::string::npos)
        << status.error().message;
    EXPECT_EQ(buffer.size(), 0u);
  }
  buffer.Reserve(100);
}

TEST(AlignedBuffer, ABudgetHolds) {
  const Budget budget(MemoryInUse() + 5'000'000);
  AlignedBuffer first, second;
  first.Reserve(3'000'000);
  const Result<int> done = CatchOutOfMemory([&]() -> Result<int> {
    second.Reserve(3'000'000);
    return 1;
  });
  ASSERT_FALSE(done);
  EXPECT_NE(done.error().message.find("the budget is"), std::string::npos) << done.error().message;
  first.Release();
  second.Reserve(3'000'000);
}

TEST(CatchOutOfMemory, ContainersCount) {
  EXPECT_EQ(CatchOutOfMemory([]() -> Status {
              std::vector<int> out;
              out.reserve(out.max_size() + 1);
              return {};
            })
                .error()
                .code,
            ErrorCode::kMemory);
  EXPECT_TRUE(CatchOutOfMemory([]() -> Status { return {}; }));
}

TEST(ThreadScratch, LargeMemoryGoesWhenTheThreadsOutermostUseEnds) {
  ThreadPool pool(1);
  const uint64_t before = MemoryInUse();
  {
    const ThreadPool::Use outer(pool);
    {
      const ThreadPool::Use inner(pool);
      ThreadScratch(ScratchSlot::kNorm).Reserve(8 << 20);
      ThreadScratch(ScratchSlot::kGemm).Reserve(1000);
    }
    EXPECT_GE(MemoryInUse() - before, uint64_t{8} << 20);
  }
  EXPECT_LT(MemoryInUse() - before, uint64_t{1} << 20);
}

TEST(ThreadPool, CarriesWhatABodyThrowsToTheCaller) {
  for (const size_t threads : {1, 2, 3}) {
    ThreadPool pool(threads);
    for (int round = 0; round < 50; ++round) {
      std::atomic<size_t> ran = 0;
      EXPECT_THROW(pool.ParallelFor(64, 1,
                                    [&](size_t begin, size_t end) {
                                      ran += end - begin;
                                      if (begin <= 40 && 40 < end) throw OutOfMemory(7);
                                    }),
                   OutOfMemory);
      EXPECT_LE(ran, 64u);
      // The pool works on.
      std::atomic<size_t> sum = 0;
      pool.ParallelFor(100, 1, [&](size_t begin, size_t end) { sum += end - begin; });
      EXPECT_EQ(sum, 100u);
    }
  }
}

}  // namespace
}  // namespace dunnock
