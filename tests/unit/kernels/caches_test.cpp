#include "kernels/caches.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "kernels/split.h"
#include "temporary.h"

namespace fnet::kernels {
namespace {

using ::testing::HasSubstr;

TEST(Caches, sizes_are_read_from_the_variable) {
  EXPECT_EQ(parse_cache_sizes("32K,512K,4M"),
            (CacheSizes{std::size_t{32} << 10, std::size_t{512} << 10, std::size_t{4} << 20}));
  EXPECT_EQ(parse_cache_sizes("49152,2M,1920K").l1, 49152U);
}

TEST(Caches, what_is_no_list_of_three_sizes_is_refused) {
  for (const char* bad : {"", "32K", "32K,512K", "32K,512K,", "32K,512K,4G", "32K,512K,4M,1",
                          "32K,0,4M", "a,b,c", "-1,2,3"}) {
    EXPECT_THAT(message_of([&] { parse_cache_sizes(bad); }),
                HasSubstr("FNET_CACHE_SIZES: expected"))
        << bad;
  }
}

TEST(Caches, the_system_tells_sizes_and_who_shares_them) {
  const TemporaryDirectory root;
  const auto cache = [&](int i, const char* level, const char* type, const char* size,
                         const char* shared) {
    const auto folder =
        root.path() / "sys/devices/system/cpu/cpu0/cache" / ("index" + std::to_string(i));
    std::filesystem::create_directories(folder);
    const auto put = [&](const char* name, const char* text) {
      std::ofstream(folder / name) << text << "\n";
    };
    put("level", level), put("type", type), put("size", size), put("shared_cpu_list", shared);
  };
  cache(0, "1", "Data", "48K", "0,64");
  cache(1, "1", "Instruction", "32K", "0,64");
  cache(2, "2", "Unified", "1024K", "0,64");
  cache(3, "3", "Unified", "32M", "0-7,64-71");
  const CacheSizes expected{std::size_t{48} << 10, std::size_t{1} << 20, std::size_t{2} << 20};
  EXPECT_EQ(read_cache_sizes(root.path()), expected);
}

TEST(Caches, of_a_system_that_tells_nothing_they_are_small) {
  const TemporaryDirectory root;
  EXPECT_EQ(read_cache_sizes(root.path()), CacheSizes{});
}

TEST(Caches, blocks_are_whole_tiles_within_bounds) {
  EXPECT_EQ(rows_in_l2(0, std::size_t{1} << 30, 12), 24U);
  EXPECT_EQ(rows_in_l2(0, 1, 12), 96U);
  EXPECT_EQ(rows_in_l2(std::size_t{1} << 40, 1, 6), 12U);
  EXPECT_EQ(rows_in_l2(64 << 10, 8192, 6) % 6, 0U);
}

TEST(RowBlocks, none_is_larger_than_what_is_asked_for_and_all_rows_are_in_one) {
  for (const std::size_t most : {1U, 5U, 12U, 24U, 42U, 96U}) {
    for (std::size_t rows = 1; rows < 1200; rows += 7) {
      for (const std::size_t threads : {1U, 2U, 3U, 16U}) {
        const RowBlocks blocks(rows, most, threads);
        std::size_t next = 0;
        for (std::size_t b = 0; b < blocks.count(); ++b) {
          ASSERT_EQ(blocks.begin(b), next) << rows << ' ' << most << ' ' << threads;
          ASSERT_LE(blocks.size(b), blocks.largest()) << rows << ' ' << most << ' ' << threads;
          next += blocks.size(b);
        }
        ASSERT_EQ(next, rows);
        ASSERT_LE(blocks.largest(), most);
      }
    }
  }
}

}  // namespace
}  // namespace fnet::kernels
