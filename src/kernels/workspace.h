#pragma once

#include <cstddef>
#include <cstdlib>
#include <memory>

namespace fnet::kernels {

struct Free {
  void operator()(std::byte* p) const { std::free(p); }
};
using AlignedBytes = std::unique_ptr<std::byte[], Free>;

/// Uninitialised bytes at a multiple of 64; in huge pages, where the system has them, from 4 MiB
/// on. Throws: std::bad_alloc.
AlignedBytes aligned_bytes(std::size_t bytes);

/// Scratch memory of one caller: grows to the largest need and is used again, so that repeated
/// calls take no memory. One operation at a time.
class Workspace {
 public:
  /// At least `bytes`, aligned to 64, contents undefined; valid until the next take().
  std::byte* take(std::size_t bytes) {
    if (bytes > size_) memory_ = aligned_bytes(bytes), size_ = bytes;
    return memory_.get();
  }
  std::size_t size() const noexcept { return size_; }

 private:
  AlignedBytes memory_;
  std::size_t size_ = 0;
};

}  // namespace fnet::kernels
