#pragma once

#include <cstddef>
#include <memory>
#include <new>

namespace fnet::kernels {

struct FreeAligned {
  void operator()(std::byte* p) const { ::operator delete[](p, std::align_val_t{64}); }
};
using AlignedBytes = std::unique_ptr<std::byte[], FreeAligned>;

/// Uninitialised bytes at a multiple of 64.
inline AlignedBytes aligned_bytes(std::size_t bytes) {
  return AlignedBytes(static_cast<std::byte*>(::operator new[](bytes, std::align_val_t{64})));
}

/// Scratch memory of one caller: grows to the largest need and is used again, so that repeated calls
/// take no memory. One operation at a time.
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
