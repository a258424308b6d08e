#include "core/parallel.h"

#include <gtest/gtest.h>

#include <atomic>
#include <stdexcept>
#include <vector>

namespace fnet {
namespace {

TEST(ThreadPool, runs_every_index_once_for_any_size) {
  for (const int threads : {1, 2, 4}) {
    ThreadPool pool(threads);
    EXPECT_EQ(pool.size(), threads);
    for (const std::size_t count : {0, 1, 2, 1000}) {
      std::vector<std::atomic<int>> hits(count);
      pool.run(count, [&](std::size_t i, int thread) {
        EXPECT_LT(thread, threads);
        ++hits[i];
      });
      for (const auto& hit : hits) EXPECT_EQ(hit, 1);
    }
  }
}

TEST(ThreadPool, rethrows_the_first_exception_and_stays_usable) {
  ThreadPool pool(3);
  EXPECT_THROW(pool.run(100,
                        [](std::size_t i, int) {
                          if (i == 7) throw std::runtime_error("seven");
                        }),
               std::runtime_error);
  std::atomic<int> sum{0};
  pool.run(10, [&](std::size_t, int) { ++sum; });
  EXPECT_EQ(sum, 10);
}

}  // namespace
}  // namespace fnet
