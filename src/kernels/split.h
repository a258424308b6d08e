#pragma once

#include <algorithm>
#include <cstddef>

#include "core/parallel.h"
#include "kernels/caches.h"
#include "kernels/product.h"

namespace fnet::kernels {

/// Blocks of rows for ThreadPool::run, whose threads take a part of them each: a part's blocks are
/// large ones, then small ones, so that no thread waits long for the last.
class RowBlocks {
 public:
  /// Of at most `most` rows.
  RowBlocks(std::size_t rows, std::size_t most, std::size_t threads)
      : parts_{rows, std::min(rows, threads)} {
    const std::size_t part = parts_.largest();
    tail_ = threads > 1 && part >= 4 * most ? most : 0;
    large_ = (part - tail_ + most - 1) / most;
    const std::size_t small = std::min(kSmall, most);
    small_ = (tail_ + small - 1) / small;
  }
  std::size_t count() const { return parts_.parts * (large_ + small_); }
  std::size_t begin(std::size_t b) const {
    const std::size_t part = b / (large_ + small_), i = b % (large_ + small_);
    const std::size_t head = parts_.size(part) - tail_;
    return parts_.begin(part) + (i < large_ ? Split{head, large_}.begin(i)
                                            : head + Split{tail_, small_}.begin(i - large_));
  }
  std::size_t size(std::size_t b) const { return begin(b + 1) - begin(b); }
  std::size_t largest() const {
    const std::size_t of_tail = small_ > 0 ? Split{tail_, small_}.largest() : 0;
    return std::max(Split{parts_.largest() - tail_, large_}.largest(), of_tail);
  }

 private:
  static constexpr std::size_t kSmall = 24;  // two register tiles
  Split parts_{};
  std::size_t tail_ = 0;               // rows of a part that go into small blocks
  std::size_t large_ = 0, small_ = 0;  // blocks of a part
};

/// Whether threads share out the rows, or with too few of them the columns of the weights: then
/// each weight is read by one core.
inline bool split_rows(std::size_t rows, const ThreadPool& pool, const Table& isa) {
  const auto threads = static_cast<std::size_t>(pool.size());
  return threads == 1 || rows >= 2 * threads * isa.product.tile_rows;
}

/// Rows of a block, `row` bytes each, that stay in L2 beside two pieces of the weights.
inline std::size_t most_rows(const Table& isa, Dtype dtype, std::size_t row) {
  const std::size_t piece =
      isa.product.panel * longest_chunk(dtype) / per_unit(dtype) * sizeof(std::uint32_t);
  return rows_in_l2(2 * piece, row, isa.product.tile_rows);
}

/// Cuts one block of memory into arrays, each aligned to 64 bytes. A first pass without memory adds
/// up the sizes.
class Cutter {
 public:
  explicit Cutter(std::byte* memory = nullptr) : memory_(memory) {}
  template <class T>
  T* cut(std::size_t count) {
    std::byte* p = memory_ == nullptr ? nullptr : memory_ + used_;
    used_ += (count * sizeof(T) + 63) / 64 * 64;
    return reinterpret_cast<T*>(p);
  }
  std::size_t used() const { return used_; }

 private:
  std::byte* memory_;
  std::size_t used_ = 0;
};

/// A block of rows of a left factor, every chunk converted.
struct LeftBlock {
  LeftChunk base;
  std::size_t rows, stride;
  Dtype dtype;

  static LeftBlock cut(Cutter& cutter, std::size_t rows, std::size_t chunks, Dtype dtype,
                       const Table& isa) {
    const std::size_t stride = isa.product.row_stride(dtype);
    auto* units = cutter.cut<std::uint32_t>(rows * chunks * stride);
    const std::size_t scales = dtype == Dtype::int8 ? rows * chunks : 0;
    return {
        {units, cutter.cut<float>(scales), cutter.cut<std::int32_t>(scales)}, rows, stride, dtype};
  }
  /// Chunk c, from row `first` on.
  LeftChunk chunk(std::size_t c, std::size_t first = 0) const {
    const std::size_t at = c * rows + first;
    return {base.units + at * stride, base.scale + at, base.zero + at};
  }
  /// Converts x [count, k] into the rows from `first` on, for products with `w`.
  void convert(const float* x, std::size_t first, std::size_t count, const PackedMatrix& w) const {
    for (std::size_t c = 0; c < w.chunks().count; ++c) {
      w.isa().product.convert(dtype, x + c * w.chunks().length, w.k(), count, w.length(c),
                              chunk(c, first));
    }
  }
};

/// sums [rows, panel] = the whole product of one panel.
inline void multiply_panel(const LeftBlock& left, std::size_t rows, const PackedMatrix& w,
                           std::size_t panel, float* sums) {
  const std::size_t count = w.chunks().count;
  for (std::size_t c = 0; c < count; ++c) {
    const bool last = c + 1 == count;
    const std::size_t next_panel = std::min(panel + last, w.panels() - 1);
    w.isa().product.multiply(w.dtype(), left.chunk(c), rows, w.chunk(panel, c), sums, c > 0,
                             w.chunk(next_panel, last ? 0 : c + 1).units);
  }
}

}  // namespace fnet::kernels
