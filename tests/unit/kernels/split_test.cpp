#include "kernels/split.h"

#include <gtest/gtest.h>

namespace fnet::kernels {
namespace {

TEST(RowBlocks, cover_every_row_once_and_begin_with_a_threads_part) {
  for (const std::size_t threads : {1, 2, 3, 7}) {
    for (std::size_t rows = 1; rows < 3000; rows += rows < 200 ? 1 : 97) {
      const RowBlocks blocks(rows, 96, threads);
      const Split parts{rows, std::min(rows, threads)};
      ASSERT_EQ(blocks.count() % parts.parts, 0U);
      std::size_t next = 0;
      for (std::size_t b = 0; b < blocks.count(); ++b) {
        if (b % (blocks.count() / parts.parts) == 0) {
          ASSERT_EQ(next, parts.begin(b * parts.parts / blocks.count()));
        }
        ASSERT_EQ(blocks.begin(b), next) << rows << " rows, " << threads << " threads, block " << b;
        ASSERT_GE(blocks.size(b), 1U);
        ASSERT_LE(blocks.size(b), std::min<std::size_t>(96, blocks.largest()));
        next += blocks.size(b);
      }
      ASSERT_EQ(next, rows);
    }
  }
}

}  // namespace
}  // namespace fnet::kernels
