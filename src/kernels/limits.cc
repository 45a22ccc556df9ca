#include "kernels/limits.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/limits.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <atomic>
#include <chrono>

#include "base/system/thread_pool.h"
#include "kernels/simd/dot-inl.h"
#include "tensor/rows.h"

HWY_BEFORE_NAMESPACE();
namespace dunnock::HWY_NAMESPACE {

constexpr size_t kSums = kParts == 1 ? 12 : kParts == 2 ? 4 : 2;

// `rounds` x kSums dots of 16 rows x 4 k. Returns something of all sums.
uint32_t SpinDots(size_t rounds) {
  uint8_t bytes[64];
  for (size_t i = 0; i < 64; ++i) bytes[i] = static_cast<uint8_t>(i % 16);
  const Codes codes = LoadCodes(bytes);
  IntLanes sum[kSums];
  for (IntLanes& s : sum) s = SetI(0);
  for (size_t r = 0; r < rounds; ++r) {
    for (IntLanes& s : sum) s = DotCodes7(s, codes, static_cast<int32_t>(0x01020304 + r));
  }
  IntLanes total = SetI(0);
  for (const IntLanes& s : sum) total = AddI(total, s);
  int32_t lanes[16];
  for (size_t p = 0; p < kParts; ++p) hn::StoreU(total.part[p], TagI(), lanes + p * kWidth);
  return static_cast<uint32_t>(lanes[0]) + static_cast<uint32_t>(lanes[15]);
}

size_t OperationsARound() { return kSums * 16 * 4 * 2; }

uint32_t ReadAll(const uint8_t* bytes, size_t size) {
  IntLanes sum[4] = {SetI(0), SetI(0), SetI(0), SetI(0)};
  for (size_t i = 0; i + 256 <= size; i += 256) {
    for (size_t j = 0; j < 4; ++j) {
      __builtin_prefetch(bytes + i + 2048 + j * 64);
      for (size_t p = 0; p < kParts; ++p) {
        const auto* at = reinterpret_cast<const int32_t*>(bytes + i + j * 64) + p * kWidth;
        sum[j].part[p] = hn::Add(sum[j].part[p], hn::Load(TagI(), at));
      }
    }
  }
  int32_t lanes[16];
  const IntLanes total = AddI(AddI(sum[0], sum[1]), AddI(sum[2], sum[3]));
  for (size_t p = 0; p < kParts; ++p) hn::StoreU(total.part[p], TagI(), lanes + p * kWidth);
  return static_cast<uint32_t>(lanes[0]) + static_cast<uint32_t>(lanes[15]);
}

}  // namespace dunnock::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace dunnock {

HWY_EXPORT(SpinDots);
HWY_EXPORT(OperationsARound);
HWY_EXPORT(ReadAll);

namespace {

using Clock = std::chrono::steady_clock;

// Repeats body(thread) on every thread of the pool until `seconds` are over; work done a second.
template <typename Body>
double Rate(double work, double seconds, const Body& body) {
  ThreadPool& pool = ThreadPool::Current();
  double best = 0;
  const Clock::time_point begin = Clock::now();
  do {
    const Clock::time_point start = Clock::now();
    pool.ParallelFor(pool.threads(), 1, [&](size_t first, size_t end) {
      for (size_t i = first; i < end; ++i) body(i);
    });
    const double taken = std::chrono::duration<double>(Clock::now() - start).count();
    if (work / taken > best) best = work / taken;
  } while (std::chrono::duration<double>(Clock::now() - begin).count() < seconds);
  return best;
}

}  // namespace

double MeasureInt8Rate() {
  constexpr size_t kRounds = 1'000'000;
  std::atomic<uint32_t> sink{0};
  const double threads = static_cast<double>(ThreadPool::Current().threads());
  return Rate(threads * kRounds * static_cast<double>(HWY_DYNAMIC_DISPATCH(OperationsARound)()),
              0.2, [&](size_t) { sink += HWY_DYNAMIC_DISPATCH(SpinDots)(kRounds); });
}

double MeasureReadRate(size_t bytes) {
  const size_t threads = ThreadPool::Current().threads();
  const size_t share = bytes / threads / 256 * 256;
  AlignedBuffer memory;
  auto* const begin = static_cast<uint8_t*>(memory.Reserve(share * threads));
  for (size_t i = 0; i < share * threads; i += 64) begin[i] = static_cast<uint8_t>(i);
  std::atomic<uint32_t> sink{0};
  return Rate(static_cast<double>(share * threads), 0.3, [&](size_t thread) {
    sink += HWY_DYNAMIC_DISPATCH(ReadAll)(begin + thread * share, share);
  });
}

}  // namespace dunnock
#endif
