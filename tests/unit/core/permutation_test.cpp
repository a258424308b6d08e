#include "core/permutation.h"

#include <gtest/gtest.h>

#include <set>
#include <vector>

namespace fnet {
namespace {

TEST(Permutation, has_every_number_once_for_every_count) {
  for (std::uint64_t n = 1; n <= 300; ++n) {
    const Permutation order(n, 7, n);
    std::set<std::uint64_t> seen;
    for (std::uint64_t i = 0; i < n; ++i) {
      EXPECT_LT(order(i), n);
      seen.insert(order(i));
    }
    EXPECT_EQ(seen.size(), n);
  }
}

TEST(Permutation, counts_may_be_larger_than_memory) {
  const std::uint64_t n = (std::uint64_t{1} << 40) + 12345;
  const Permutation order(n, 1, 0);
  std::set<std::uint64_t> seen;
  for (std::uint64_t i = 0; i < 10'000; ++i) seen.insert(order(n - 1 - i));
  EXPECT_EQ(seen.size(), 10'000U);
  EXPECT_LT(*seen.rbegin(), n);
  EXPECT_GT(*seen.rbegin(), n / 1000 * 990);
  EXPECT_LT(*seen.begin(), n / 100);
}

TEST(Permutation, numbers_stand_anywhere_under_every_seed_and_stream) {
  // Of 2000 orders of 10, each number stands first about 200 times: five deviations are 67.
  for (const bool seeds : {true, false}) {
    std::vector<int> first(10, 0), stays(10, 0);
    for (std::uint64_t i = 0; i < 2000; ++i) {
      const Permutation order(10, seeds ? i : 1, seeds ? 1 : i);
      ++first[order(0)];
      for (std::uint64_t place = 0; place < 10; ++place) stays[place] += order(place) == place;
    }
    for (const int count : first) EXPECT_NEAR(count, 200, 67);
    for (const int count : stays) EXPECT_NEAR(count, 200, 67);
  }
}

}  // namespace
}  // namespace fnet
