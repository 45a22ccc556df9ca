#pragma once
// How many processors this process may keep busy.

#include <cstddef>
#include <string>
#include <string_view>

namespace dunnock {

// Linux only. The CPU time per second that the control groups of a process allow it, in CPUs; 0: as
// much as there is. `groups` is the text of /proc/self/cgroup, `root` the folder where the
// hierarchy is mounted (/sys/fs/cgroup). A group is bound by every group above it, too. Reads
// cpu.max of version 2 and cpu.cfs_quota_us of version 1 (the kernel's
// Documentation/admin-guide/cgroup-v2.rst and scheduler/sched-bwc.rst).
double CpuQuota(std::string_view groups, const std::string& root);

// How many CPUs the process may keep busy, at least 1. Linux: the physical cores among the CPUs
// that its affinity mask holds, at most as many as its quota pays for (begun CPUs count as whole
// ones). Elsewhere: the CPUs that are online.
size_t UsableCores();

}  // namespace dunnock
