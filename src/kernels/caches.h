#pragma once

#include <cstddef>
#include <filesystem>
#include <string_view>

namespace fnet::kernels {

/// Bytes of the caches that one core has to itself, by level; of a shared one its share.
struct CacheSizes {
  std::size_t l1 = std::size_t{32} << 10;
  std::size_t l2 = std::size_t{512} << 10;
  std::size_t l3 = std::size_t{4} << 20;

  bool operator==(const CacheSizes&) const = default;
};

/// Of this machine as the system tells them; FNET_CACHE_SIZES stands in for them. How work is cut
/// into blocks follows from them, no bit of a result does. Throws: usage where the variable is no
/// list of three sizes.
const CacheSizes& cache_sizes();

/// "48K,2M,1920K": L1, L2 and the share of L3, in bytes, K or M. Throws: usage.
CacheSizes parse_cache_sizes(std::string_view text);

/// What /sys says of the first core; `root` is where it is, for tests.
CacheSizes read_cache_sizes(const std::filesystem::path& root = "/");

/// How many rows a block may have whose `row` bytes each stay in L2 beside `fixed` other bytes, in
/// whole register tiles.
std::size_t rows_in_l2(std::size_t fixed, std::size_t row, std::size_t tile_rows);

}  // namespace fnet::kernels
