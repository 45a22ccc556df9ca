#include "base/system/thread_pool.h"

namespace dunnock {

// A thread of WebAssembly is a worker that the host keeps ready: it says how many there are.
size_t ThreadPool::DefaultThreads() { return 1; }

}  // namespace dunnock
