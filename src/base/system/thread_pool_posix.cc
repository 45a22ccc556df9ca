#include "base/system/cpus.h"
#include "base/system/thread_pool.h"

namespace dunnock {

size_t ThreadPool::DefaultThreads() { return UsableCores(); }

}  // namespace dunnock
