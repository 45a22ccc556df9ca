#include <algorithm>
#include <fstream>
#include <set>
#include <string>

#include "base/thread_pool.h"

namespace dunnock {

size_t ThreadPool::DefaultThreads() {
  const size_t logical = std::max(1u, std::thread::hardware_concurrency());
  // Two hyperthreads share the arithmetic units that the kernels keep busy: count cores, where the
  // system tells.
  std::set<std::string> cores;
  for (size_t cpu = 0; cpu < logical; ++cpu) {
    std::ifstream file("/sys/devices/system/cpu/cpu" + std::to_string(cpu) +
                       "/topology/thread_siblings");
    std::string siblings;
    if (!(file >> siblings)) return logical;
    cores.insert(siblings);
  }
  return std::max<size_t>(1, cores.size());
}

}  // namespace dunnock
