#include "core/cores.h"

#include <gtest/gtest.h>
#include <sched.h>

#include "temporary.h"

namespace fnet {
namespace {

/// Files as /proc and /sys have them.
class FakeRoot {
 public:
  void put(const std::string& name, std::string_view text) const {
    std::filesystem::create_directories((root_.path() / name).parent_path());
    root_.make(name, text);
  }
  int cores() const { return available_cores(root_.path()); }

 private:
  TemporaryDirectory root_;
};

/// With the affinity mask as wide as it is here.
int most() { return available_cores("/there is no such folder"); }

TEST(Cores, without_a_quota_are_those_of_the_affinity_mask) {
  cpu_set_t all, one;
  ASSERT_EQ(sched_getaffinity(0, sizeof all, &all), 0);
  EXPECT_EQ(most(), CPU_COUNT(&all));
  CPU_ZERO(&one);
  for (int i = 0; CPU_COUNT(&one) == 0; ++i) {
    if (CPU_ISSET(i, &all)) CPU_SET(i, &one);
  }
  ASSERT_EQ(sched_setaffinity(0, sizeof one, &one), 0);
  EXPECT_EQ(available_cores(), 1);
  ASSERT_EQ(sched_setaffinity(0, sizeof all, &all), 0);
}

TEST(Cores, a_quota_of_cgroup_v2_counts_rounded_up) {
  const FakeRoot root;
  root.put("proc/self/cgroup", "0::/\n");
  EXPECT_EQ(root.cores(), most()) << "no file";
  root.put("sys/fs/cgroup/cpu.max", "max 100000\n");
  EXPECT_EQ(root.cores(), most());
  root.put("sys/fs/cgroup/cpu.max", "10000 100000\n");
  EXPECT_EQ(root.cores(), 1);
  root.put("sys/fs/cgroup/cpu.max", "100000 100000\n");
  EXPECT_EQ(root.cores(), 1);
  root.put("sys/fs/cgroup/cpu.max", "100001 100000\n");
  EXPECT_EQ(root.cores(), std::min(2, most()));
  root.put("sys/fs/cgroup/cpu.max", "99000000 100000\n");
  EXPECT_EQ(root.cores(), most()) << "more than there are";
}

TEST(Cores, the_tightest_group_on_the_way_up_counts) {
  const FakeRoot root;
  root.put("proc/self/cgroup", "0::/pods/one/main\n");
  root.put("sys/fs/cgroup/pods/one/main/cpu.max", "max 100000\n");
  root.put("sys/fs/cgroup/pods/cpu.max", "50000 50000\n");
  EXPECT_EQ(root.cores(), 1);
}

TEST(Cores, a_quota_of_cgroup_v1_counts_too) {
  const FakeRoot root;
  root.put("proc/self/cgroup", "9:cpuset:/\n4:cpu,cpuacct:/docker/6fa1\n1:name=systemd:/\n");
  root.put("sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n");
  root.put("sys/fs/cgroup/cpu/cpu.cfs_quota_us", "-1\n");
  EXPECT_EQ(root.cores(), most());
  // In a container the path is the host's, and its own folder is the mounted one.
  root.put("sys/fs/cgroup/cpu/cpu.cfs_quota_us", "50000\n");
  EXPECT_EQ(root.cores(), 1);
  root.put("proc/self/cgroup", "9:cpuset:/\n4:cpuacct:/\n");
  EXPECT_EQ(root.cores(), most()) << "another controller";
}

TEST(Cores, files_that_make_no_sense_limit_nothing) {
  const FakeRoot root;
  for (const char* groups : {"", "0", "0:", ":::", "0::/../../..\n", "4:cpu:\n"}) {
    for (const char* quota : {"", "max", "-5 100000", "0 100000", "100000 0", "x y", "1e9999 -1"}) {
      root.put("proc/self/cgroup", groups);
      root.put("sys/fs/cgroup/cpu.max", quota);
      root.put("sys/fs/cgroup/cpu/cpu.cfs_quota_us", quota);
      EXPECT_EQ(root.cores(), most()) << groups << quota;
    }
  }
}

}  // namespace
}  // namespace fnet
