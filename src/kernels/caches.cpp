#include "kernels/caches.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdlib>
#include <fstream>
#include <string>

#include "core/error.h"

namespace fnet::kernels {
namespace {

constexpr std::size_t kMostRows = 96;

/// "48K" as bytes; 0 where it is none.
std::size_t size_of(std::string_view text) {
  std::size_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc()) return 0;
  const std::string_view unit(end, static_cast<std::size_t>(text.data() + text.size() - end));
  const int shift = unit == "K" ? 10 : unit == "M" ? 20 : unit.empty() ? 0 : -1;
  return shift < 0 || value > (std::size_t{1} << 40) ? 0 : value << shift;
}

std::string first_line(const std::filesystem::path& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

/// How many cores a list such as "0-3,8" has.
std::size_t cores_in(std::string_view list) {
  std::size_t cores = 0;
  while (!list.empty()) {
    const std::string_view part = list.substr(0, list.find(','));
    list.remove_prefix(std::min(part.size() + 1, list.size()));
    std::size_t first = 0, last = 0;
    const char* end = part.data() + part.size();
    const auto read = std::from_chars(part.data(), end, first);
    last = first;
    if (read.ptr != end && *read.ptr == '-') std::from_chars(read.ptr + 1, end, last);
    cores += last >= first ? last - first + 1 : 1;
  }
  return std::max<std::size_t>(cores, 1);
}

}  // namespace

CacheSizes parse_cache_sizes(std::string_view text) {
  std::array<std::size_t, 3> sizes{};
  std::string_view rest = text;
  for (std::size_t& size : sizes) {
    const std::string_view part = rest.substr(0, rest.find(','));
    rest.remove_prefix(std::min(part.size() + 1, rest.size()));
    size = size_of(part);
  }
  require(std::ranges::count(text, ',') == 2 && std::ranges::count(sizes, std::size_t{0}) == 0,
          Kind::usage,
          "FNET_CACHE_SIZES: expected sizes of L1, L2 and L3 such as 32K,512K,4M, found '{}'",
          printable(text));
  return {sizes[0], sizes[1], sizes[2]};
}

CacheSizes read_cache_sizes(const std::filesystem::path& root) {
  CacheSizes out;
  const std::filesystem::path caches = root / "sys/devices/system/cpu/cpu0/cache";
  for (int i = 0; i < 8; ++i) {
    const std::filesystem::path cache = caches / ("index" + std::to_string(i));
    const std::size_t size = size_of(first_line(cache / "size"));
    if (size == 0 || first_line(cache / "type") == "Instruction") continue;
    const std::string level = first_line(cache / "level");
    const std::size_t share = size / cores_in(first_line(cache / "shared_cpu_list"));
    // Threads of one core share its L1 and L2, and seldom both do products.
    if (level == "1") out.l1 = size;
    if (level == "2") out.l2 = size;
    if (level == "3") out.l3 = share;
  }
  return out;
}

const CacheSizes& cache_sizes() {
  static const CacheSizes sizes = [] {
    const char* text = std::getenv("FNET_CACHE_SIZES");  // NOLINT: read once
    return text != nullptr && *text != 0 ? parse_cache_sizes(text) : read_cache_sizes();
  }();
  return sizes;
}

std::size_t rows_in_l2(std::size_t fixed, std::size_t row, std::size_t tile_rows) {
  const std::size_t room = cache_sizes().l2 / 5 * 4;  // the rest is for what passes through
  const std::size_t rows = room > fixed ? (room - fixed) / row : 0;
  return std::clamp(rows / tile_rows * tile_rows, 2 * tile_rows, kMostRows);
}

}  // namespace fnet::kernels
