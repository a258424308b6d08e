#pragma once

#include <bit>
#include <cstdint>

#include "core/random.h"

namespace fnet {

/// A random order of the numbers below n that takes no memory: which one stands at a place is
/// computed from the place alone. Source: Black & Rogaway 2002, "Ciphers with arbitrary finite
/// domains": a Feistel network over the next power of four, walked until it is below n.
class Permutation {
 public:
  /// n > 0. Orders of other seeds or streams have nothing in common.
  Permutation(std::uint64_t n, std::uint64_t seed, std::uint64_t stream)
      : n_(n),
        bits_((static_cast<unsigned>(std::bit_width(n - 1)) + 1) / 2),
        random_(seed, stream) {}

  /// The number at a place below n.
  std::uint64_t operator()(std::uint64_t place) const {
    do place = round_trip(place);
    while (place >= n_);
    return place;
  }

 private:
  static constexpr std::uint64_t kRounds = 4;

  std::uint64_t round_trip(std::uint64_t value) const {
    const std::uint64_t mask = (std::uint64_t{1} << bits_) - 1;
    std::uint64_t left = value >> bits_, right = value & mask;
    for (std::uint64_t round = 0; round < kRounds; ++round) {
      const std::uint64_t mixed = (left ^ random_.block(round << 32 | right)[0]) & mask;
      left = right, right = mixed;
    }
    return left << bits_ | right;
  }

  std::uint64_t n_;
  unsigned bits_;  // of half a number
  Philox random_;
};

}  // namespace fnet
