#include "core/cores.h"

#include <sched.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <fstream>
#include <limits>
#include <string>
#include <string_view>
#include <thread>

namespace fnet {
namespace {

constexpr double kNoLimit = std::numeric_limits<double>::infinity();

/// The CPU time that one group allows, in cores. A quota of "max" (v2) or -1 (v1) is none.
double group_limit(const std::filesystem::path& group) {
  std::string quota;
  double period = 0;
  if (!(std::ifstream(group / "cpu.max") >> quota >> period)) {
    std::ifstream(group / "cpu.cfs_quota_us") >> quota;
    std::ifstream(group / "cpu.cfs_period_us") >> period;
  }
  std::int64_t microseconds = 0;
  std::from_chars(quota.data(), quota.data() + quota.size(), microseconds);
  return microseconds > 0 && period > 0 ? static_cast<double>(microseconds) / period : kNoLimit;
}

bool names_cpu(std::string_view controllers) {
  while (!controllers.empty()) {
    const std::size_t comma = std::min(controllers.find(','), controllers.size());
    if (controllers.substr(0, comma) == "cpu") return true;
    controllers.remove_prefix(std::min(comma + 1, controllers.size()));
  }
  return false;
}

/// The least of what this process's groups and those above them allow.
double quota_limit(const std::filesystem::path& root) {
  double least = kNoLimit;
  std::ifstream groups(root / "proc/self/cgroup");
  // A line is "4:cpu,cpuacct:/path", or "0::/path" in v2.
  for (std::string number, controllers, path; std::getline(groups, number, ':') &&
                                              std::getline(groups, controllers, ':') &&
                                              std::getline(groups, path);) {
    const bool v2 = controllers.empty();
    if (!v2 && !names_cpu(controllers)) continue;
    const auto mounted = root / (v2 ? "sys/fs/cgroup" : "sys/fs/cgroup/cpu");
    // In a container the path may be the host's; folders that are not here limit nothing.
    for (std::filesystem::path group = path;; group = group.parent_path()) {
      least = std::min(least, group_limit(mounted / group.relative_path()));
      if (group == group.parent_path()) break;
    }
  }
  return least;
}

int affinity_limit() {
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) == 0) return CPU_COUNT(&set);
  return static_cast<int>(std::max(1U, std::thread::hardware_concurrency()));
}

}  // namespace

int available_cores(const std::filesystem::path& root) {
  const int cores = affinity_limit();
  const double quota = std::ceil(quota_limit(root));
  return quota < cores ? std::max(1, static_cast<int>(quota)) : cores;
}

}  // namespace fnet
