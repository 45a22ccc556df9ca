#include "base/cpus.h"
#include "base/thread_pool.h"

namespace dunnock {

size_t ThreadPool::DefaultThreads() { return UsableCores(); }

}  // namespace dunnock
