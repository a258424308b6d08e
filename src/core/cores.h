#pragma once

#include <filesystem>

namespace fnet {

/// Cores that this process may use: those of its affinity mask, and no more than the CPU quota of
/// its control groups (v1 or v2, as containers set it), rounded up. `root` is where /proc and /sys
/// are, for tests.
int available_cores(const std::filesystem::path& root = "/");

}  // namespace fnet
