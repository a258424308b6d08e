#include "kernels/gemm.h"

#include <algorithm>
#include <functional>

#include "kernels/split.h"

namespace fnet::kernels {
namespace {

constexpr std::size_t kMostColumns = 1536;  // of a task: its sums take 590 KB

/// The sums of a panel [rows, width] to their columns of C.
void finish_panel(const float* sums, std::size_t rows, std::size_t column, std::size_t columns,
                  const Finish& finish, float* c, std::size_t stride,
                  const ProductKernels& kernels) {
  if (finish.slope_at != nullptr) {
    kernels.finish_slope(finish.activation, sums, finish.slope_at + column, rows, columns,
                         c + column, stride);
    return;
  }
  Epilogue epilogue{.sums = sums,
                    .gate_sums = nullptr,
                    .bias = finish.bias == nullptr ? nullptr : finish.bias + column,
                    .gate_bias = nullptr,
                    .activation = finish.activation,
                    .rows = rows,
                    .columns = columns};
  kernels.finish_f32(epilogue, c + column, stride);
  if (finish.before == nullptr) return;
  epilogue.activation = Activation::none;
  kernels.finish_f32(epilogue, finish.before + column, stride);
}

}  // namespace

void gemm(Dtype dtype, std::size_t m, std::size_t n, std::size_t k, MatrixView a, MatrixView b,
          const Finish& finish, float* c, std::size_t c_stride, ThreadPool& pool,
          Workspace& workspace, const Table& isa) {
  if (m == 0 || n == 0) return;
  const ProductKernels& kernels = isa.product;
  const std::size_t width = kernels.panel;
  const std::size_t panels = (n + width - 1) / width;
  const Chunks cut = chunks(std::max<std::size_t>(k, 1), dtype);
  const auto length = [&](std::size_t chunk) {
    return std::min(cut.length, k - chunk * cut.length);
  };
  const std::size_t panel_units = units_of(k, dtype);
  const auto threads = static_cast<std::size_t>(pool.size());
  const Split groups{panels, (panels * width + kMostColumns - 1) / kMostColumns};
  const std::size_t row_bytes =
      (kernels.row_stride(dtype) + groups.largest() * width) * sizeof(float);
  const RowBlocks rows(m, most_rows(isa, dtype, row_bytes), threads);

  const std::size_t left_units = rows.largest() * kernels.row_stride(dtype);
  const std::size_t sums_size = rows.largest() * groups.largest() * width;
  const std::size_t of_thread = (left_units + sums_size + 15) / 16 * 16;
  auto* packed = reinterpret_cast<std::uint32_t*>(
      workspace.take((panels * width * panel_units + threads * of_thread) * sizeof(float)));
  auto* scratch = reinterpret_cast<float*>(packed + panels * width * panel_units);
  const auto right = [&](std::size_t panel, std::size_t chunk) {
    const std::size_t first = chunk * cut.length / per_unit(dtype);
    return packed + (panel * panel_units + first) * width;
  };

  const auto pack = [&](std::size_t panel, int) {
    const std::size_t column = panel * width;
    const std::size_t columns = std::min(width, n - column);
    for (std::size_t i = 0; i < cut.count; ++i) {
      const std::size_t first = i * cut.length;
      std::uint32_t* units = right(panel, i);
      if (b.transposed) {
        kernels.pack(dtype, b.data + column * b.stride + first, b.stride, columns, length(i),
                     nullptr, units, nullptr);
      } else {
        kernels.pack_rows(dtype, b.data + first * b.stride + column, b.stride, columns, length(i),
                          units);
      }
    }
  };
  pool.run(panels, std::ref(pack));

  const auto multiply = [&](std::size_t index, int thread) {
    const std::size_t block = index / groups.parts;
    const std::size_t group = index % groups.parts;
    const std::size_t first_row = rows.begin(block);
    const std::size_t count = rows.size(block);
    Finish block_finish = finish;
    if (finish.before != nullptr) block_finish.before += first_row * c_stride;
    if (finish.slope_at != nullptr) block_finish.slope_at += first_row * c_stride;
    float* sums = scratch + static_cast<std::size_t>(thread) * of_thread;
    const LeftChunk left{reinterpret_cast<std::uint32_t*>(sums + sums_size), nullptr, nullptr};
    for (std::size_t i = 0; i < cut.count; ++i) {
      const std::size_t first = i * cut.length;
      if (a.transposed) {
        kernels.convert_columns(dtype, a.data + first * a.stride + first_row, a.stride, count,
                                length(i), left);
      } else {
        kernels.convert(dtype, a.data + first_row * a.stride + first, a.stride, count, length(i),
                        left);
      }
      for (std::size_t p = 0; p < groups.size(group); ++p) {
        const std::size_t panel = groups.begin(group) + p;
        const RightChunk chunk{right(panel, i), units_of(length(i), dtype), nullptr, nullptr};
        kernels.multiply(dtype, left, count, chunk, sums + p * count * width, i > 0,
                         right(std::min(panel + 1, panels - 1), i));
      }
    }
    for (std::size_t p = 0; p < groups.size(group); ++p) {
      const std::size_t column = (groups.begin(group) + p) * width;
      finish_panel(sums + p * count * width, count, column, std::min(width, n - column),
                   block_finish, c + first_row * c_stride, c_stride, kernels);
    }
  };
  pool.run(rows.count() * groups.parts, std::ref(multiply));
}

}  // namespace fnet::kernels
