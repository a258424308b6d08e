#include "kernels/gemm.h"

#include <algorithm>
#include <functional>
#include <vector>

#include "kernels/split.h"

namespace fnet::kernels {
namespace {

/// Row tiles of a block at least: with fewer, the right factor would be read too often.
constexpr std::size_t kFewestTiles = 4;
/// C is written by so many columns at a time and so many rows: whole pages, and few of them at
/// once. A panel alone, 128 bytes a row, took as long as a fifth of the product.
constexpr std::size_t kSpanColumns = 1024, kSweepRows = 4;
/// B is read likewise where it has to be turned.
constexpr std::size_t kPackedColumns = 256, kPackedRows = 16;

class Product {
 public:
  Product(Dtype dtype, std::size_t m, std::size_t n, std::size_t k, MatrixView a, MatrixView b,
          const Finish& finish, float* c, std::size_t c_stride, const ThreadPool& pool,
          const Table& isa)
      : isa_(isa),
        dtype_(dtype),
        n_(n),
        k_(k),
        a_(a),
        b_(b),
        finish_(finish),
        c_(c),
        c_stride_(c_stride),
        panels_((n + width() - 1) / width()),
        chunks_(chunks(std::max<std::size_t>(k, 1), dtype)),
        at_a_time_(chunks_.count),
        groups_{panels_, split_rows(m, pool, isa)
                             ? 1
                             : std::min(panels_, static_cast<std::size_t>(pool.size()))},
        packed_{panels_, (panels_ * width() + kPackedColumns - 1) / kPackedColumns} {
    while (most_block_rows() < kFewestTiles * isa.product.tile_rows && at_a_time_ > 1)
      at_a_time_ = (at_a_time_ + 1) / 2;
    rows_ = RowBlocks(m, most_block_rows(), static_cast<std::size_t>(pool.size()));
  }

  void run(ThreadPool& pool, Workspace& workspace) {
    const auto threads = static_cast<std::size_t>(pool.size());
    Cutter measure;
    lay_out(measure, threads);
    Cutter cutter(workspace.take(measure.used()));
    lay_out(cutter, threads);
    const auto pack = [&](std::size_t index, int) {
      pack_right(index / chunks_.count, index % chunks_.count);
    };
    pool.run(packed_.parts * chunks_.count, std::ref(pack));
    const auto multiply = [&](std::size_t index, int thread) {
      multiply_block(index / groups_.parts, index % groups_.parts,
                     scratch_[static_cast<std::size_t>(thread)]);
    };
    pool.run(rows_.count() * groups_.parts, std::ref(multiply));
  }

 private:
  /// A thread's own.
  struct Scratch {
    LeftBlock left;  // chunks of A for a block
    float* sums;     // [panels][rows][width]: kept() of them
  };

  std::size_t width() const { return isa_.product.panel; }
  std::size_t length(std::size_t chunk) const {
    return std::min(chunks_.length, k_ - chunk * chunks_.length);
  }

  /// Panels whose sums are kept: some, or where only a part of A is there at a time, all.
  std::size_t kept() const {
    const std::size_t all = groups_.largest();
    return at_a_time_ < chunks_.count ? all : std::min(all, kSpanColumns / width());
  }

  std::size_t most_block_rows() const {
    const std::size_t left = at_a_time_ * isa_.product.row_stride(dtype_);
    return most_rows(isa_, dtype_, (left + kept() * width()) * sizeof(float));
  }

  void lay_out(Cutter& cutter, std::size_t threads) {
    right_ = cutter.cut<std::uint32_t>(panels_ * width() * units_of(k_, dtype_));
    scratch_.clear();
    for (std::size_t t = 0; t < threads; ++t) {
      const auto left = LeftBlock::cut(cutter, rows_.largest(), at_a_time_, dtype_, isa_);
      scratch_.push_back({left, cutter.cut<float>(kept() * rows_.largest() * width())});
    }
  }

  /// Where the units of a panel begin that hold B from row k on.
  std::uint32_t* right(std::size_t panel, std::size_t k) const {
    return right_ + (panel * units_of(k_, dtype_) + k / per_unit(dtype_)) * width();
  }

  void pack_right(std::size_t span, std::size_t chunk) const {
    const std::size_t step = b_.transposed ? length(chunk) : kPackedRows;
    for (std::size_t i = 0; i < length(chunk); i += step) {
      const std::size_t k = chunk * chunks_.length + i, count = std::min(step, length(chunk) - i);
      for (std::size_t p = 0; p < packed_.size(span); ++p) {
        const std::size_t panel = packed_.begin(span) + p, column = panel * width();
        const std::size_t columns = std::min(width(), n_ - column);
        if (b_.transposed) {
          isa_.product.pack(dtype_, b_.data + column * b_.stride + k, b_.stride, columns, count,
                            nullptr, right(panel, k), nullptr);
        } else {
          isa_.product.pack_rows(dtype_, b_.data + k * b_.stride + column, b_.stride, columns,
                                 count, right(panel, k));
        }
      }
    }
  }

  /// Rows of A from `first` on.
  void convert_left(std::size_t first, std::size_t count, std::size_t chunk, LeftChunk to) const {
    const std::size_t k = chunk * chunks_.length;
    if (a_.transposed) {
      isa_.product.convert_columns(dtype_, a_.data + k * a_.stride + first, a_.stride, count,
                                   length(chunk), to);
    } else {
      isa_.product.convert(dtype_, a_.data + first * a_.stride + k, a_.stride, count, length(chunk),
                           to);
    }
  }

  /// Adds what a chunk has of the sums of A's rows.
  void add_rows(std::size_t first, std::size_t count, std::size_t chunk) const {
    float* sums = finish_.row_sums + first;
    if (chunk == 0) std::fill_n(sums, count, 0.0F);
    isa_.rows.add_columns(a_.data + chunk * chunks_.length * a_.stride + first, a_.stride,
                          length(chunk), count, sums);
  }

  void multiply_block(std::size_t block, std::size_t group, const Scratch& scratch) const {
    const std::size_t first = rows_.begin(block), count = rows_.size(block);
    const auto sums = [&](std::size_t p) { return scratch.sums + p % kept() * count * width(); };
    for (std::size_t begin = 0; begin < chunks_.count; begin += at_a_time_) {
      const std::size_t end = std::min(begin + at_a_time_, chunks_.count);
      for (std::size_t i = begin; i < end; ++i) {
        convert_left(first, count, i, scratch.left.chunk(i - begin));
        if (finish_.row_sums != nullptr && group == 0) add_rows(first, count, i);
      }
      for (std::size_t p = 0; p < groups_.size(group); ++p) {
        const std::size_t panel = groups_.begin(group) + p;
        for (std::size_t i = begin; i < end; ++i) {
          const bool last = i + 1 == end;
          const std::size_t next = last ? begin : i + 1;
          isa_.product.multiply(
              dtype_, scratch.left.chunk(i - begin), count,
              {right(panel, i * chunks_.length), units_of(length(i), dtype_), nullptr, nullptr},
              sums(p), i > 0, right(std::min(panel + last, panels_ - 1), next * chunks_.length));
        }
        if (end < chunks_.count) continue;
        const std::size_t done = p % kept() + 1;  // panels since the last ones were written
        if (done < kept() && p + 1 < groups_.size(group)) continue;
        for (std::size_t r = 0; r < count; r += kSweepRows) {
          for (std::size_t q = 0; q < done; ++q) {
            finish_panel(sums(q) + r * width(), first + r, std::min(kSweepRows, count - r),
                         (panel + 1 - done + q) * width());
          }
        }
      }
    }
  }

  /// Sums [rows, width] to their place in C.
  void finish_panel(const float* sums, std::size_t row, std::size_t rows,
                    std::size_t column) const {
    const std::size_t at = row * c_stride_ + column, columns = std::min(width(), n_ - column);
    if (finish_.slope_at != nullptr) {
      isa_.product.finish_slope(finish_.activation, sums, finish_.slope_at + at, rows, columns,
                                c_ + at, c_stride_);
      return;
    }
    Epilogue epilogue{.sums = sums,
                      .gate_sums = nullptr,
                      .bias = finish_.bias == nullptr ? nullptr : finish_.bias + column,
                      .gate_bias = nullptr,
                      .activation = finish_.activation,
                      .rows = rows,
                      .columns = columns,
                      .add = finish_.add == nullptr ? nullptr : finish_.add + at};
    isa_.product.finish_f32(epilogue, c_ + at, c_stride_);
    if (finish_.before == nullptr) return;
    epilogue.activation = Activation::none, epilogue.add = nullptr;
    isa_.product.finish_f32(epilogue, finish_.before + at, c_stride_);
  }

  const Table& isa_;
  const Dtype dtype_;
  const std::size_t n_, k_;
  const MatrixView a_, b_;
  const Finish& finish_;
  float* const c_;
  const std::size_t c_stride_;
  const std::size_t panels_;  // of B
  const Chunks chunks_;
  std::size_t at_a_time_;  // chunks of A, for a block of rows
  RowBlocks rows_{1, 1, 1};
  const Split groups_;  // of panels: one, unless there are too few rows to share out
  const Split packed_;  // panels that are packed together

  std::uint32_t* right_ = nullptr;  // [panels][units of k][width]
  std::vector<Scratch> scratch_;
};

}  // namespace

void gemm(Dtype dtype, std::size_t m, std::size_t n, std::size_t k, MatrixView a, MatrixView b,
          const Finish& finish, float* c, std::size_t c_stride, ThreadPool& pool,
          Workspace& workspace, const Table& isa) {
  if (m == 0 || n == 0) return;
  Product(dtype, m, n, k, a, b, finish, c, c_stride, pool, isa).run(pool, workspace);
}

}  // namespace fnet::kernels
