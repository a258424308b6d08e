#pragma once

#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <numbers>
#include <utility>

namespace fnet {

/// Philox 4×32-10, a counter-based generator: word i of a stream is a pure function of (seed,
/// stream, i), so there is no state to save and no order to keep.
/// Source: Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3".
class Philox {
 public:
  Philox(std::uint64_t seed, std::uint64_t stream) : seed_(seed), stream_(stream) {}

  /// The four words of block `index`.
  std::array<std::uint32_t, 4> block(std::uint64_t index) const {
    std::array<std::uint32_t, 4> c = {
        static_cast<std::uint32_t>(index), static_cast<std::uint32_t>(index >> 32),
        static_cast<std::uint32_t>(stream_), static_cast<std::uint32_t>(stream_ >> 32)};
    auto k0 = static_cast<std::uint32_t>(seed_);
    auto k1 = static_cast<std::uint32_t>(seed_ >> 32);
    for (int round = 0; round < 10; ++round) {
      const std::uint64_t p0 = 0xD2511F53ULL * c[0];
      const std::uint64_t p1 = 0xCD9E8D57ULL * c[2];
      c = {static_cast<std::uint32_t>(p1 >> 32) ^ c[1] ^ k0, static_cast<std::uint32_t>(p1),
           static_cast<std::uint32_t>(p0 >> 32) ^ c[3] ^ k1, static_cast<std::uint32_t>(p0)};
      k0 += 0x9E3779B9U;
      k1 += 0xBB67AE85U;
    }
    return c;
  }

  /// The next 32 random bits.
  std::uint32_t next() {
    if (used_ == 4) words_ = block(index_++), used_ = 0;
    return words_[used_++];
  }

  /// Uniform in [0, 1), 24 bits.
  float uniform() { return static_cast<float>(next() >> 8) * 0x1p-24F; }

  /// Uniform integer in [0, n), n > 0, without bias.
  std::uint64_t below(std::uint64_t n) {
    const std::uint64_t limit = ~std::uint64_t{0} - ~std::uint64_t{0} % n;
    for (;;) {
      const std::uint64_t high = next();
      const std::uint64_t value = high << 32 | next();
      if (value < limit) return value % n;
    }
  }

  /// Standard normal, by Box and Muller.
  float normal() {
    const double u = (next() + 1.0) * 0x1p-32;  // in (0, 1]
    const double v = next() * 0x1p-32;
    return static_cast<float>(std::sqrt(-2.0 * std::log(u)) * std::cos(2.0 * std::numbers::pi * v));
  }

  /// A random order of `items`. Source: Fisher and Yates.
  void shuffle(auto& items) {
    for (std::size_t i = items.size(); i > 1; --i) std::swap(items[i - 1], items[below(i)]);
  }

 private:
  std::uint64_t seed_, stream_, index_ = 0;
  std::array<std::uint32_t, 4> words_{};
  unsigned used_ = 4;
};

}  // namespace fnet
