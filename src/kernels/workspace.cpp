#include "kernels/workspace.h"

#include <sys/mman.h>

#include <new>

namespace fnet::kernels {

AlignedBytes aligned_bytes(std::size_t bytes) {
  constexpr std::size_t kHugePage = std::size_t{2} << 20;
  const bool huge = bytes >= 2 * kHugePage;
  const std::size_t alignment = huge ? kHugePage : 64;
  const std::size_t size = (bytes + alignment - 1) / alignment * alignment;
  auto* p = static_cast<std::byte*>(std::aligned_alloc(alignment, size));
  if (p == nullptr && size > 0) throw std::bad_alloc();
#ifdef MADV_HUGEPAGE
  // Advice only. Weights are read from end to end: fewer page faults at load, fewer TLB misses
  // after. Whole pages only: the last one, begun, would be taken whole, 1 MB a matrix of fnet-base.
  if (huge) madvise(p, bytes / kHugePage * kHugePage, MADV_HUGEPAGE);
#endif
  return AlignedBytes(p);
}

}  // namespace fnet::kernels
