#include "base/system/cpus.h"

#include <gtest/gtest.h>
#include <sched.h>

#include <filesystem>
#include <fstream>

namespace dunnock {
namespace {

namespace fs = std::filesystem;

class CpuQuotaTest : public testing::Test {
 protected:
  CpuQuotaTest() : root_(testing::TempDir() + "cpu_quota_test") { fs::remove_all(root_); }
  ~CpuQuotaTest() override { fs::remove_all(root_); }

  void Write(const std::string& name, const std::string& text) {
    const fs::path path = root_ + "/" + name;
    fs::create_directories(path.parent_path());
    std::ofstream(path) << text;
  }
  double Quota(const std::string& groups) { return CpuQuota(groups, root_); }

  std::string root_;
};

TEST_F(CpuQuotaTest, Version2) {
  Write("app/web/cpu.max", "150000 100000\n");
  EXPECT_DOUBLE_EQ(Quota("0::/app/web\n"), 1.5);
  Write("app/web/cpu.max", "max 100000\n");
  EXPECT_EQ(Quota("0::/app/web\n"), 0);
}

TEST_F(CpuQuotaTest, TheGroupsAboveBindToo) {
  Write("app/cpu.max", "200000 100000\n");
  Write("app/web/cpu.max", "400000 100000\n");
  EXPECT_DOUBLE_EQ(Quota("0::/app/web\n"), 2);
  Write("cpu.max", "50000 100000\n");  // a container sees its own group as the root
  EXPECT_DOUBLE_EQ(Quota("0::/\n"), .5);
}

TEST_F(CpuQuotaTest, Version1) {
  Write("cpu,cpuacct/docker/x/cpu.cfs_quota_us", "300000\n");
  Write("cpu,cpuacct/docker/x/cpu.cfs_period_us", "100000\n");
  const std::string groups = "12:memory:/docker/x\n4:cpu,cpuacct:/docker/x\n3:cpuset:/docker/x\n";
  EXPECT_DOUBLE_EQ(Quota(groups), 3);
  Write("cpu,cpuacct/docker/x/cpu.cfs_quota_us", "-1\n");
  EXPECT_EQ(Quota(groups), 0);
}

TEST_F(CpuQuotaTest, WhatCannotBeReadBindsNothing) {
  EXPECT_EQ(Quota(""), 0);
  EXPECT_EQ(Quota("no colons\n"), 0);
  EXPECT_EQ(Quota("0::/gone\n"), 0);
  Write("a/cpu.max", "");
  Write("b/cpu.max", "100000 0\n");
  EXPECT_EQ(Quota("0::/a\n"), 0);
  EXPECT_EQ(Quota("0::/b\n"), 0);
}

TEST(UsableCores, HeedsTheAffinityMask) {
  cpu_set_t before;
  ASSERT_EQ(sched_getaffinity(0, sizeof before, &before), 0);
  cpu_set_t one;
  CPU_ZERO(&one);
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (!CPU_ISSET(cpu, &before)) continue;
    CPU_SET(cpu, &one);
    break;
  }
  ASSERT_EQ(sched_setaffinity(0, sizeof one, &one), 0);
  EXPECT_EQ(UsableCores(), 1u);
  ASSERT_EQ(sched_setaffinity(0, sizeof before, &before), 0);
  EXPECT_GE(UsableCores(), 1u);
  EXPECT_LE(UsableCores(), static_cast<size_t>(CPU_COUNT(&before)));
}

}  // namespace
}  // namespace dunnock
