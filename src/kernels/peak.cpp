#include "kernels/peak.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <functional>
#include <vector>

#include "core/error.h"
#include "core/parallel.h"

namespace fnet::kernels {

double measure_peak(Dtype dtype, int threads, const Table& isa) {
  using Clock = std::chrono::steady_clock;
  ThreadPool pool(threads);
  double best = 0.0;
  for (int run = 0; run < 15; ++run) {
    std::atomic<std::size_t> operations{0};
    const auto spin = [&](std::size_t, int) { operations += isa.spin(dtype, 800'000); };
    const auto start = Clock::now();
    pool.run(static_cast<std::size_t>(pool.size()), std::ref(spin));
    const std::chrono::duration<double> seconds = Clock::now() - start;
    best = std::max(best, static_cast<double>(operations) / seconds.count() * 1e-9);
  }
  return best;
}

double measure_read(std::size_t bytes, int threads) {
  using Clock = std::chrono::steady_clock;
  constexpr std::size_t kStep = 8;  // sums beside each other, so that no addition waits
  ThreadPool pool(threads);
  const auto parts = static_cast<std::size_t>(pool.size());
  const std::size_t part = std::max<std::size_t>(bytes / parts / sizeof(std::uint64_t), kStep);
  const std::vector<std::uint64_t> memory(parts * part, 1);
  std::atomic<std::uint64_t> total{0};
  const auto read = [&](std::size_t index, int) {
    const std::uint64_t* p = memory.data() + index * part;
    std::array<std::uint64_t, kStep> sums{};
    for (std::size_t i = 0; i + kStep <= part; i += kStep) {
      for (std::size_t j = 0; j < kStep; ++j) sums[j] += p[i + j];
    }
    for (const std::uint64_t sum : sums) total += sum;
  };
  double best = 0;
  const auto begin = Clock::now();
  for (int run = 0; run < 3 || Clock::now() - begin < std::chrono::milliseconds(100); ++run) {
    const auto start = Clock::now();
    pool.run(parts, std::ref(read));
    const std::chrono::duration<double> seconds = Clock::now() - start;
    best = std::max(
        best, static_cast<double>(memory.size() * sizeof(std::uint64_t)) * 1e-9 / seconds.count());
  }
  require(total > 0, Kind::internal, "measure_read: nothing was read");
  return best;
}

}  // namespace fnet::kernels
