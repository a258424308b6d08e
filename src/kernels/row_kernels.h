#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/types.h"

namespace fnet::kernels {

/// Embedding tables, [.., hidden] each; position and type may be null.
struct Embedding {
  const float* word;
  const float* position = nullptr;
  const float* type = nullptr;
  std::size_t hidden;
  NormArgs norm;
};

/// Operations on rows on one thread; rows.h shares them out.
struct RowKernels {
  void (*add_norm)(const float* x, const float* residual, std::size_t rows, std::size_t n,
                   const NormArgs&, float* y) noexcept;
  void (*norm_back)(const NormArgs&, const float* x, const float* grad, std::size_t rows,
                    std::size_t n, float* dx, float* weight_sums, float* bias_sums) noexcept;
  void (*embed)(const Embedding&, const std::int32_t* ids, const std::int32_t* positions,
                const std::int32_t* types, std::size_t rows, float* y) noexcept;
  void (*activate)(Activation, const float* x, std::size_t n, float* y) noexcept;
  void (*combine)(Binary, const Operand& a, const Operand& b, std::size_t rows, std::size_t columns,
                  float* y) noexcept;
  void (*row_means)(const float* x, std::size_t rows, std::size_t n, float* y) noexcept;
  void (*add_columns)(const float* x, std::size_t stride, std::size_t rows, std::size_t columns,
                      float* sums) noexcept;
  double (*log_sum_exp)(const float* x, std::size_t n) noexcept;
  void (*scaled_exp)(double less, float scale, std::size_t n, float* x) noexcept;
  void (*dropout)(std::uint64_t seed, std::uint64_t first, std::uint32_t threshold, float scale,
                  const float* x, std::size_t n, float* y) noexcept;
};

}  // namespace fnet::kernels
