#include "base/system/cpus.h"

#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <set>
#include <sstream>
#include <vector>

namespace dunnock {
namespace {

// The CPUs in the affinity mask of this process.
std::vector<size_t> AllowedCpus() {
  std::vector<size_t> cpus;
  // EINVAL means that the machine has more CPUs than the mask has bits: try a larger one.
  for (size_t words = 16; words <= 1024; words *= 2) {
    std::vector<cpu_set_t> mask(words);
    const size_t bytes = words * sizeof(cpu_set_t);
    if (sched_getaffinity(0, bytes, mask.data()) != 0) continue;
    for (size_t cpu = 0; cpu < 8 * bytes; ++cpu)
      if (CPU_ISSET_S(cpu, bytes, mask.data())) cpus.push_back(cpu);
    break;
  }
  if (!cpus.empty()) return cpus;
  const long online = sysconf(_SC_NPROCESSORS_ONLN);
  for (long cpu = 0; cpu < online; ++cpu) cpus.push_back(static_cast<size_t>(cpu));
  return cpus;
}

// Counts physical cores, if the system tells: two hyperthreads share the arithmetic units that the
// kernels keep busy.
size_t PhysicalCores(const std::vector<size_t>& cpus) {
  std::set<std::string> cores;
  for (const size_t cpu : cpus) {
    std::ifstream file("/sys/devices/system/cpu/cpu" + std::to_string(cpu) +
                       "/topology/thread_siblings");
    std::string siblings;
    if (!(file >> siblings)) return cpus.size();
    cores.insert(siblings);
  }
  return cores.size();
}

std::string ReadAll(const std::string& path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

// The quota in `allowed` microseconds per `period`, in CPUs; 0 if there is no limit.
double QuotaOf(const std::string& allowed, const std::string& period) {
  char* end = nullptr;
  const double quota = std::strtod(allowed.c_str(), &end);  // "max" and "-1": no bound
  if (end == allowed.c_str() || !(quota > 0)) return 0;
  const double length = std::strtod(period.c_str(), &end);
  return end == period.c_str() || !(length > 0) ? 0 : quota / length;
}

// The smaller of two quotas; 0 is no limit.
double Least(double a, double b) { return a == 0 ? b : b == 0 ? a : std::min(a, b); }

// The smallest quota of a group and of all groups above it.
template <typename Read>
double LeastUpwards(const std::string& root, std::string group, const Read& read) {
  double least = 0;
  for (;;) {
    least = Least(least, read(root + group));
    const size_t slash = group.rfind('/');
    if (slash == std::string::npos || group.empty()) return least;
    group.resize(slash);
  }
}

double Version2(const std::string& folder) {
  std::istringstream text(ReadAll(folder + "/cpu.max"));
  std::string allowed, period;
  text >> allowed >> period;
  return QuotaOf(allowed, period);
}

double Version1(const std::string& folder) {
  return QuotaOf(ReadAll(folder + "/cpu.cfs_quota_us"), ReadAll(folder + "/cpu.cfs_period_us"));
}

}  // namespace

double CpuQuota(std::string_view groups, const std::string& root) {
  double least = 0;
  std::istringstream lines{std::string(groups)};
  for (std::string line; std::getline(lines, line);) {  // "id:controllers:/path"
    const size_t first = line.find(':'), second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1);
    const std::string path = line.substr(second + 1);
    double quota = 0;
    if (controllers.empty()) {
      quota = LeastUpwards(root, path, Version2);
    } else if (("," + controllers + ",").find(",cpu,") != std::string::npos) {
      quota = LeastUpwards(root + "/" + controllers, path, Version1);
      if (quota == 0) quota = LeastUpwards(root + "/cpu", path, Version1);
    }
    least = Least(least, quota);
  }
  return least;
}

size_t UsableCores() {
  const size_t cores = std::max<size_t>(PhysicalCores(AllowedCpus()), 1);
  const double quota = CpuQuota(ReadAll("/proc/self/cgroup"), "/sys/fs/cgroup");
  if (!(quota > 0) || quota >= static_cast<double>(cores)) return cores;
  return static_cast<size_t>(std::ceil(quota));
}

}  // namespace dunnock
