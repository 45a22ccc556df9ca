#pragma once
// How many processors this process may use.

#include <cstddef>
#include <string>
#include <string_view>

namespace dunnock {

// The number of CPUs' worth of time that the control groups of a process allow it; 0: no limit.
// `groups` is the text of /proc/self/cgroup, `root` the folder where the hierarchy is mounted
// (/sys/fs/cgroup). A group is also bound by every group above it. Reads cpu.max of version
// 2 and cpu.cfs_quota_us of version 1 (Linux, Documentation/admin-guide/cgroup-v2.rst and
// scheduler/sched-bwc.rst).
double CpuQuota(std::string_view groups, const std::string& root);

// The number of physical cores in the affinity mask of the process, at most CpuQuota rounded up, at
// least 1.
size_t UsableCores();

}  // namespace dunnock
