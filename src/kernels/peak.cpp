#include "kernels/peak.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <functional>

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

}  // namespace fnet::kernels
