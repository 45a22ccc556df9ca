#pragma once
// How many processors this process may keep busy.

#include <cstddef>
#include <string>
#include <string_view>

namespace dunnock {

// The CPU time per second that the control groups of a process allow it, in CPUs; 0: as much as
// there is. `groups` is the text of /proc/self/cgroup, `root` the folder where the hierarchy is
// mounted (/sys/fs/cgroup). A group is bound by every group above it, too. Reads cpu.max of version
// 2 and cpu.cfs_quota_us of version 1 (Linux, Documentation/admin-guide/cgroup-v2.rst and
// scheduler/sched-bwc.rst).
double CpuQuota(std::string_view groups, const std::string& root);

// Physical cores among the CPUs that the affinity mask of the process holds, at most as many as its
// quota pays for (begun CPUs count as whole ones), at least 1.
size_t UsableCores();

}  // namespace dunnock
