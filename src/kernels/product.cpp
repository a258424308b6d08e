#include "kernels/product.h"

#include <functional>
#include <utility>

#include "core/error.h"
#include "core/int8_scale.h"
#include "kernels/split.h"

namespace fnet::kernels {

std::size_t PackedMatrix::panels() const noexcept {
  return (n_ + isa_->product.panel - 1) / isa_->product.panel;
}

std::size_t PackedMatrix::length(std::size_t c) const noexcept {
  return std::min(chunks_.length, k_ - c * chunks_.length);
}

RightChunk PackedMatrix::chunk(std::size_t panel, std::size_t c) const noexcept {
  const std::size_t width = isa_->product.panel;
  RightChunk chunk{};
  chunk.units = units_ + (panel * panel_units_ + c * units_of(chunks_.length, dtype_)) * width;
  chunk.count = units_of(length(c), dtype_);
  if (dtype_ == Dtype::int8) {
    chunk.scale = scale_ + panel * width;
    chunk.sums = sums_ + (panel * chunks_.count + c) * width;
  }
  return chunk;
}

PackedMatrix::PackedMatrix(std::size_t n, std::size_t k, Dtype dtype, const Table& isa)
    : n_(n), k_(k), dtype_(dtype), isa_(&isa) {
  require(n > 0 && k > 0, Kind::internal, "pack: expected at least one row and column, found {}x{}",
          n, k);
  chunks_ = fnet::kernels::chunks(k, dtype);
  // Whole chunks first, so that only the last one may end in an unfinished unit.
  panel_units_ = units_of(k, dtype);
  bytes_ = lay_out(nullptr);
}

/// Where the parts lie in `memory`, and how many bytes they take.
std::size_t PackedMatrix::lay_out(const std::byte* memory) {
  Cutter cutter(const_cast<std::byte*>(memory));
  const std::size_t width = isa_->product.panel;
  const bool int8 = dtype_ == Dtype::int8;
  units_ = cutter.cut<std::uint32_t>(panels() * panel_units_ * width);
  scale_ = cutter.cut<float>(int8 ? panels() * width : 0);
  sums_ = cutter.cut<std::int32_t>(int8 ? panels() * chunks_.count * width : 0);
  return cutter.used();
}

PackedMatrix pack(const float* weights, std::size_t n, std::size_t k, Dtype dtype, ThreadPool* pool,
                  const Table& isa) {
  PackedMatrix m(n, k, dtype, isa);
  m.memory_ = std::shared_ptr<std::byte>(aligned_bytes(m.bytes_).release(), Free{});
  m.lay_out(m.memory_.get());
  const std::size_t width = isa.product.panel;
  const bool int8 = dtype == Dtype::int8;
  const auto pack_panel = [&](std::size_t panel, int) {
    const float* w = weights + panel * width * k;
    const std::size_t columns = std::min(width, n - panel * width);
    auto* scale = int8 ? const_cast<float*>(m.scale_) + panel * width : nullptr;
    for (std::size_t j = 0; int8 && j < width; ++j) {
      scale[j] = j < columns ? int8_scale({w + j * k, k}) : 0.0F;
    }
    for (std::size_t c = 0; c < m.chunks_.count; ++c) {
      const RightChunk chunk = m.chunk(panel, c);
      isa.product.pack(dtype, w + c * m.chunks_.length, k, columns, m.length(c), scale,
                       const_cast<std::uint32_t*>(chunk.units),
                       const_cast<std::int32_t*>(chunk.sums));
    }
  };
  if (pool != nullptr) {
    pool->run(m.panels(), std::ref(pack_panel));
  } else {
    for (std::size_t panel = 0; panel < m.panels(); ++panel) pack_panel(panel, 0);
  }
  return m;
}

PackedMatrix packed_in(std::shared_ptr<const std::byte> memory, std::size_t bytes, std::size_t n,
                       std::size_t k, Dtype dtype, const Table& isa) {
  PackedMatrix m(n, k, dtype, isa);
  require(bytes == m.bytes_, Kind::input, "packed matrix [{}, {}]: expected {} bytes, found {}", n,
          k, m.bytes_, bytes);
  m.memory_ = std::move(memory);
  m.lay_out(m.memory_.get());
  return m;
}

void linear(const float* x, std::size_t rows, const PackedMatrix& weights, const float* bias,
            Activation activation, float* y, ThreadPool& pool, Workspace& workspace) {
  if (rows == 0) return;
  const ProductKernels& kernels = weights.isa().product;
  const std::size_t width = kernels.panel;
  const std::size_t panels = weights.panels();
  const auto threads = static_cast<std::size_t>(pool.size());
  const bool by_rows = split_rows(rows, pool, weights.isa());
  const std::size_t row_bytes =
      weights.chunks().count * kernels.row_stride(weights.dtype()) * sizeof(std::uint32_t) +
      width * sizeof(float);
  const RowBlocks blocks(rows,
                         by_rows ? most_rows(weights.isa(), weights.dtype(), row_bytes) : rows,
                         by_rows ? threads : 1);

  struct Scratch {
    LeftBlock left;
    float* sums;
  };
  const auto cut = [&](Cutter& cutter, std::size_t left_rows) {
    return Scratch{
        LeftBlock::cut(cutter, left_rows, weights.chunks().count, weights.dtype(), weights.isa()),
        cutter.cut<float>(blocks.largest() * width)};
  };
  const auto panel_of = [&](const Scratch& scratch, std::size_t block_rows, std::size_t panel,
                            float* out) {
    multiply_panel(scratch.left, block_rows, weights, panel, scratch.sums);
    const std::size_t column = panel * width;
    kernels.finish_f32({.sums = scratch.sums,
                        .gate_sums = nullptr,
                        .bias = bias == nullptr ? nullptr : bias + column,
                        .gate_bias = nullptr,
                        .activation = activation,
                        .rows = block_rows,
                        .columns = std::min(width, weights.n() - column)},
                       out + column, weights.n());
  };
  if (by_rows) {
    Cutter measure;
    cut(measure, blocks.largest());
    std::byte* memory = workspace.take(threads * measure.used());
    const auto task = [&](std::size_t block, int thread) {
      Cutter cutter(memory + static_cast<std::size_t>(thread) * measure.used());
      const Scratch scratch = cut(cutter, blocks.largest());
      const std::size_t first = blocks.begin(block);
      scratch.left.convert(x + first * weights.k(), 0, blocks.size(block), weights);
      for (std::size_t panel = 0; panel < panels; ++panel) {
        panel_of(scratch, blocks.size(block), panel, y + first * weights.n());
      }
    };
    pool.run(blocks.count(), std::ref(task));
    return;
  }
  Cutter measure;
  LeftBlock::cut(measure, rows, weights.chunks().count, weights.dtype(), weights.isa());
  for (std::size_t t = 0; t < threads; ++t) measure.cut<float>(rows * width);
  Cutter cutter(workspace.take(measure.used()));
  const LeftBlock left =
      LeftBlock::cut(cutter, rows, weights.chunks().count, weights.dtype(), weights.isa());
  auto* sums = cutter.cut<float>(threads * rows * width);
  const Split parts{rows, std::min(rows, threads)};
  const auto convert = [&](std::size_t part, int) {
    left.convert(x + parts.begin(part) * weights.k(), parts.begin(part), parts.size(part), weights);
  };
  pool.run(parts.parts, std::ref(convert));
  const auto task = [&](std::size_t panel, int thread) {
    panel_of({left, sums + static_cast<std::size_t>(thread) * rows * width}, rows, panel, y);
  };
  pool.run(panels, std::ref(task));
}

}  // namespace fnet::kernels
