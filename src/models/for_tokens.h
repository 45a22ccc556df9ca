#pragma once
// Tokens meet in attention only: between one attention and the next a thread can take its own
// through all products and norms, without waiting for the others and with what it made still in its
// cache.

#include <cstddef>

#include "base/system/thread_pool.h"
#include "tensor/rows.h"

namespace dunnock {

// Some of the tokens of a batch, and their rows of a matrix of all.
struct TokenRange {
  size_t begin, end;
  Rows operator()(const Rows& all) const { return all.Part(begin, end); }
};

// Calls body(range) for a partition of n tokens: with enough of them each call is one thread's
// work, with few there is one call, and the threads share each product in it.
template <typename Body>
void ForTokens(size_t n, const Body& body) {
  constexpr size_t kFewest = 8, kMost = 128;  // tokens at once; more would leave a core's own cache
  ThreadPool& pool = ThreadPool::Current();
  const size_t share = (n + pool.threads() - 1) / pool.threads();
  if (share < kFewest) return body(TokenRange{0, n});
  const size_t parts = (share + kMost - 1) / kMost;
  pool.ParallelFor(n, (share + parts - 1) / parts,
                   [&](size_t begin, size_t end) { body(TokenRange{begin, end}); });
}

}  // namespace dunnock
