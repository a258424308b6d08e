#include <functional>

#include "core/error.h"
#include "kernels/product.h"
#include "kernels/split.h"

namespace fnet::kernels {
namespace {

/// Bytes of a row of a block: its input, a chunk of its hidden layer (int8 keeps that in float32
/// too), and its sums.
std::size_t row_bytes(const FeedForward& layer) {
  const PackedMatrix& down = *layer.down;
  const Dtype dtype = down.dtype();
  return (layer.up->chunks().count + 1) * down.isa().product.row_stride(dtype) *
             sizeof(std::uint32_t) +
         (dtype == Dtype::int8 ? longest_chunk(dtype) * sizeof(float) : 0) +
         down.panels() * down.isa().product.panel * sizeof(float);
}

/// One layer at work on one block of rows; the arrays lie in the workspace.
struct Block {
  const FeedForward& layer;
  LeftBlock input;    // every chunk of x
  LeftBlock hidden;   // by rows: one chunk at a time; by columns: every chunk
  float* hidden_f32;  // int8: what will be hidden, before it is quantized; stride longest_chunk
  float* sums;        // [panels of H][rows][panel]

  const ProductKernels& kernels() const { return layer.up->isa().product; }

  static Block cut(Cutter& cutter, const FeedForward& layer, std::size_t rows,
                   std::size_t hidden_chunks) {
    const Dtype dtype = layer.up->dtype();
    const std::size_t floats =
        dtype == Dtype::int8 ? hidden_chunks * rows * longest_chunk(dtype) : 0;
    const Table& isa = layer.up->isa();
    const auto input = LeftBlock::cut(cutter, rows, layer.up->chunks().count, dtype, isa);
    const auto hidden = LeftBlock::cut(cutter, rows, hidden_chunks, dtype, isa);
    float* hidden_f32 = cutter.cut<float>(floats);
    float* sums = cutter.cut<float>(layer.down->panels() * layer.down->isa().product.panel * rows);
    return {layer, input, hidden, hidden_f32, sums};
  }

  /// Panel p of the hidden layer into hidden chunk `slot`; scratch [2][rows][panel].
  void hidden_panel(std::size_t rows, std::size_t p, std::size_t slot, float* scratch) const {
    const std::size_t width = kernels().panel;
    const std::size_t column = p * width;
    const Dtype dtype = layer.up->dtype();
    multiply_panel(input, rows, *layer.up, p, scratch);
    float* gate_sums = layer.gate == nullptr ? nullptr : scratch + rows * width;
    if (gate_sums != nullptr) multiply_panel(input, rows, *layer.gate, p, gate_sums);
    const std::size_t columns = std::min(width, layer.up->n() - column);
    const Epilogue epilogue{
        .sums = scratch,
        .gate_sums = gate_sums,
        .bias = layer.up_bias == nullptr ? nullptr : layer.up_bias + column,
        .gate_bias = layer.gate_bias == nullptr ? nullptr : layer.gate_bias + column,
        .activation = layer.activation,
        .rows = rows,
        .columns = columns};
    const std::size_t at = column % layer.down->chunks().length;
    std::uint32_t* units = hidden.chunk(slot).units;
    if (dtype == Dtype::float32) {
      kernels().finish_f32(epilogue, reinterpret_cast<float*>(units) + at, hidden.stride);
    } else if (dtype == Dtype::bfloat16) {
      kernels().finish_bf16(epilogue, units, at);
    } else {
      kernels().finish_f32(epilogue, hidden_f32 + slot * hidden.rows * longest_chunk(dtype) + at,
                           longest_chunk(dtype));
    }
  }

  /// int8: quantizes rows of hidden chunk c, which lies in `slot`, once all its columns are there.
  void quantize(std::size_t c, std::size_t slot, std::size_t first, std::size_t rows) const {
    if (layer.up->dtype() != Dtype::int8) return;
    const std::size_t stride = longest_chunk(Dtype::int8);
    kernels().convert(Dtype::int8, hidden_f32 + (slot * hidden.rows + first) * stride, stride, rows,
                      layer.down->length(c), hidden.chunk(slot, first));
  }

  void finish(const float* residual, float* y, std::size_t first, std::size_t rows,
              std::size_t block_rows) const {
    const std::size_t n = layer.down->n();
    kernels().finish_rows(sums + first * kernels().panel, block_rows, layer.down_bias,
                          residual == nullptr ? nullptr : residual + first * n, layer.norm, rows, n,
                          y + first * n);
  }
};

/// All of one block on one thread: chunk by chunk of the hidden layer, so that a chunk is used
/// while it is in the cache.
void run_block(const Block& block, const float* x, const float* residual, float* y,
               std::size_t rows, float* scratch) {
  const PackedMatrix& down = *block.layer.down;
  const std::size_t width = block.kernels().panel;
  block.input.convert(x, 0, rows, *block.layer.up);
  for (std::size_t c = 0; c < down.chunks().count; ++c) {
    const std::size_t first = c * down.chunks().length / width;
    const std::size_t last = first + (down.length(c) + width - 1) / width;
    for (std::size_t p = first; p < last; ++p) block.hidden_panel(rows, p, 0, scratch);
    block.quantize(c, 0, 0, rows);
    for (std::size_t p = 0; p < down.panels(); ++p) {
      block.kernels().multiply(down.dtype(), block.hidden.chunk(0), rows, down.chunk(p, c),
                               block.sums + p * rows * width, c > 0,
                               down.chunk(std::min(p + 1, down.panels() - 1), c).units);
    }
  }
  block.finish(residual, y, 0, rows, rows);
}

}  // namespace

void feed_forward(const FeedForward& layer, const float* x, const float* residual, float* y,
                  std::size_t rows, ThreadPool& pool, Workspace& workspace) {
  if (rows == 0) return;
  const PackedMatrix& up = *layer.up;
  const PackedMatrix& down = *layer.down;
  require(up.k() == down.n() && up.n() == down.k() && up.dtype() == down.dtype() &&
              (layer.gate == nullptr || (layer.gate->n() == up.n() && layer.gate->k() == up.k() &&
                                         layer.gate->dtype() == up.dtype())),
          Kind::internal,
          "feed_forward: expected up and gate [F, H] and down [H, F] of one type, "
          "found up [{}, {}], down [{}, {}]",
          up.n(), up.k(), down.n(), down.k());
  const auto threads = static_cast<std::size_t>(pool.size());
  const std::size_t width = up.isa().product.panel;

  if (split_rows(rows, pool, up.isa())) {
    const RowBlocks blocks(rows, most_rows(up.isa(), up.dtype(), row_bytes(layer)), threads);
    const auto cut = [&](Cutter& cutter, float*& scratch) {
      scratch = cutter.cut<float>(2 * blocks.largest() * width);
      return Block::cut(cutter, layer, blocks.largest(), 1);
    };
    float* unused = nullptr;
    Cutter measure;
    cut(measure, unused);
    std::byte* memory = workspace.take(threads * measure.used());
    const auto task = [&](std::size_t b, int thread) {
      Cutter cutter(memory + static_cast<std::size_t>(thread) * measure.used());
      float* scratch = nullptr;
      const Block block = cut(cutter, scratch);
      const std::size_t at = blocks.begin(b) * up.k();
      run_block(block, x + at, residual == nullptr ? nullptr : residual + at, y + at,
                blocks.size(b), scratch);
    };
    pool.run(blocks.count(), std::ref(task));
    return;
  }

  // Few rows: the threads share out the columns, and meet after each product.
  const auto cut = [&](Cutter& cutter, float*& scratch) {
    scratch = cutter.cut<float>(threads * 2 * rows * width);
    return Block::cut(cutter, layer, rows, down.chunks().count);
  };
  float* scratch = nullptr;
  Cutter measure;
  cut(measure, scratch);
  Cutter cutter(workspace.take(measure.used()));
  const Block block = cut(cutter, scratch);
  const Split parts{rows, std::min(rows, threads)};
  const auto convert = [&](std::size_t part, int) {
    block.input.convert(x + parts.begin(part) * up.k(), parts.begin(part), parts.size(part), up);
  };
  const auto hidden = [&](std::size_t p, int thread) {
    block.hidden_panel(rows, p, p * width / down.chunks().length,
                       scratch + static_cast<std::size_t>(thread) * 2 * rows * width);
  };
  const auto quantize = [&](std::size_t part, int) {
    for (std::size_t c = 0; c < down.chunks().count; ++c) {
      block.quantize(c, c, parts.begin(part), parts.size(part));
    }
  };
  const auto output = [&](std::size_t p, int) {
    multiply_panel(block.hidden, rows, down, p, block.sums + p * rows * width);
  };
  const auto finish = [&](std::size_t part, int) {
    block.finish(residual, y, parts.begin(part), parts.size(part), rows);
  };
  pool.run(parts.parts, std::ref(convert));
  pool.run(up.panels(), std::ref(hidden));
  if (up.dtype() == Dtype::int8) pool.run(parts.parts, std::ref(quantize));
  pool.run(down.panels(), std::ref(output));
  pool.run(parts.parts, std::ref(finish));
}

}  // namespace fnet::kernels
