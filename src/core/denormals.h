#pragma once

#include <cstdint>

namespace fnet {

/// While it lives, this thread takes numbers nearer to 0 than 1.2e-38, and results like them, as 0:
/// many CPUs need a hundred times as long for them, and no answer depends on them.
class DenormalsAreZero {
 public:
  DenormalsAreZero();
  ~DenormalsAreZero();
  DenormalsAreZero(const DenormalsAreZero&) = delete;
  DenormalsAreZero& operator=(const DenormalsAreZero&) = delete;

 private:
  std::uint64_t before_;
};

}  // namespace fnet
