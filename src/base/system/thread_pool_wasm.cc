#include "base/system/thread_pool.h"

namespace dunnock {

// A thread in WebAssembly is a worker that the host has started, so only the host knows how many
// there are.
size_t ThreadPool::DefaultThreads() { return 1; }

}  // namespace dunnock
