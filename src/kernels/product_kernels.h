#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "kernels/types.h"

namespace fnet::kernels {

/// One chunk of the left factor, converted: rows of ProductKernels::row_stride() words, which hold
/// the units in the order in which the instruction set takes them.
struct LeftChunk {
  std::uint32_t* units;
  float* scale;        ///< int8: x ≈ scale · (unsigned byte − zero), [rows]
  std::int32_t* zero;  ///< [rows]
};

/// One chunk of one panel of packed weights: units [count][panel], each unit holding per_unit()
/// consecutive numbers of one output column.
struct RightChunk {
  const std::uint32_t* units;
  std::size_t count;
  const float* scale;        ///< int8: of each column, [panel]
  const std::int32_t* sums;  ///< int8: of each column over the chunk, [panel]
};

/// The result of a panel before the epilogue: [rows, panel] floats, in the order of columns.
struct Epilogue {
  const float* sums;
  const float* gate_sums;  ///< null unless gated: out = act(gate + gate_bias) · (sum + bias)
  const float* bias;       ///< of the panel's columns; null for none
  const float* gate_bias;
  Activation activation;
  std::size_t rows, columns;   ///< columns ≤ panel
  const float* add = nullptr;  ///< added to the result, laid out as it; finish_f32 alone
};

/// Products of one block of rows on one thread; product.cpp and feed_forward.cpp combine them.
struct ProductKernels {
  std::size_t panel;      ///< Columns of a weight panel.
  std::size_t tile_rows;  ///< Rows of a full register tile.
  std::array<std::size_t, kDtypeNames.size()> row_strides;

  /// Words from one row of a converted chunk to the next.
  std::size_t row_stride(Dtype dtype) const { return row_strides[static_cast<std::size_t>(dtype)]; }

  /// Packs weights [columns, length], rows `stride` apart, as one chunk of a panel. int8 divides by
  /// `scale` [columns] and writes the sum of each column.
  void (*pack)(Dtype, const float* weights, std::size_t stride, std::size_t columns,
               std::size_t length, const float* scale, std::uint32_t* units,
               std::int32_t* sums) noexcept;
  /// Converts x [rows, length], rows `stride` apart; pads to whole units with zeros.
  void (*convert)(Dtype, const float* x, std::size_t stride, std::size_t rows, std::size_t length,
                  LeftChunk out) noexcept;
  /// For gemm(), float32 and bfloat16: pack from b [length, columns], convert from x [length,
  /// rows].
  void (*pack_rows)(Dtype, const float* b, std::size_t stride, std::size_t columns,
                    std::size_t length, std::uint32_t* units) noexcept;
  void (*convert_columns)(Dtype, const float* x, std::size_t stride, std::size_t rows,
                          std::size_t length, LeftChunk out) noexcept;
  /// sums [rows, panel] = or += left · right. `next` is fetched into the cache meanwhile: as many
  /// bytes as `right` has.
  void (*multiply)(Dtype, LeftChunk left, std::size_t rows, const RightChunk& right, float* sums,
                   bool add, const void* next) noexcept;
  /// Writes the epilogue's result to out, rows `stride` apart.
  void (*finish_f32)(const Epilogue&, float* out, std::size_t stride) noexcept;
  /// Writes it to the units of a left factor in bfloat16, from a column on: a multiple of `panel`.
  void (*finish_bf16)(const Epilogue&, std::uint32_t* units, std::size_t column) noexcept;
  /// out = sums · act′(at), rows of `at` and out `stride` apart: the way back through finish_f32.
  void (*finish_slope)(Activation, const float* sums, const float* at, std::size_t rows,
                       std::size_t columns, float* out, std::size_t stride) noexcept;
  /// y = norm(residual + sums + bias) for the first rows of sums [panels][block_rows][panel];
  /// y and residual [rows, n], a null bias or residual adds nothing.
  void (*finish_rows)(const float* sums, std::size_t block_rows, const float* bias,
                      const float* residual, NormArgs norm, std::size_t rows, std::size_t n,
                      float* y) noexcept;
};

}  // namespace fnet::kernels
