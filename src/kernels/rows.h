#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "core/parallel.h"
#include "kernels/kernels.h"
#include "kernels/workspace.h"

namespace fnet::kernels {

/// y = norm(x + residual) row by row: x, residual (null: none) and y [rows, n]; y may be either.
/// norm.kind none only adds. A row's result depends on that row alone, bit for bit.
void add_norm(const float* x, const float* residual, std::size_t rows, std::size_t n,
              const NormArgs& norm, float* y, ThreadPool& pool, const Table& isa = table());

/// The norm of a sum as layers train it: sum = residual + dropout(x), y = norm(sum). `p`, `seed`:
/// as of dropout() below.
struct SumNorm {
  NormArgs norm;  ///< layer_norm or rms_norm
  double p = 0;
  std::uint64_t seed = 0;
};

/// All [rows, n]; sum may be x. Without a residual (null) and dropout the sum is x, and may be
/// null.
void sum_norm(const SumNorm& layer, const float* x, const float* residual, std::size_t rows,
              std::size_t n, float* sum, float* y, ThreadPool& pool, const Table& isa = table());

/// The way back: from the gradient of y that of the sum, which is the residual's too, with dropout
/// that of x, and those of weight and bias [n]; null where they are not wanted. `d_sum` may be
/// `grad`. The bits do not depend on the number of threads.
void sum_norm_back(const SumNorm& layer, const float* sum, const float* grad, std::size_t rows,
                   std::size_t n, float* d_sum, float* d_x, float* d_weight, float* d_bias,
                   ThreadPool& pool, Workspace& workspace, const Table& isa = table());

/// y = norm(word[id] + type[type] + position[position]) for each row: ids, positions and types
/// [rows], all within their tables (the caller checks); y [rows, hidden]. Null types are all 0.
void embed(const Embedding& tables, const std::int32_t* ids, const std::int32_t* positions,
           const std::int32_t* types, std::size_t rows, float* y, ThreadPool& pool,
           const Table& isa = table());

/// The activation of this name in kActivationNames.
constexpr std::optional<Activation> activation_named(std::string_view name) {
  for (std::size_t i = 0; i < kActivationNames.size(); ++i) {
    if (kActivationNames[i] == name) return static_cast<Activation>(i);
  }
  return {};
}

/// y = act(x), both [n]; y may be x. Errors against the exact function, x finite: relu exact; the
/// others at most 4 ulp or 1e-38·|x|, and gelu and gelu_tanh 2e-7 where that is more. Not a number
/// stays that.
void activate(Activation activation, const float* x, std::size_t n, float* y, ThreadPool& pool,
              const Table& isa = table());

/// y = a op b for rows [rows, columns].
void combine(Binary binary, const Operand& a, const Operand& b, std::size_t rows,
             std::size_t columns, float* y, ThreadPool& pool, const Table& isa = table());

/// The mean of each row of x [rows, n], taken in more than float32 holds.
void row_means(const float* x, std::size_t rows, std::size_t n, float* y, ThreadPool& pool,
               const Table& isa = table());

/// The sum of each column of x [rows, n]: the bits of Finish::row_sums.
void column_sums(const float* x, std::size_t rows, std::size_t n, float* y, ThreadPool& pool,
                 const Table& isa = table());

/// Of each row of scores [rows, n] and its target: log Σ e^scores, and how far its score is below.
void cross_entropy(const float* scores, const std::int64_t* targets, std::size_t rows,
                   std::size_t n, double* losses, double* logs, ThreadPool& pool,
                   const Table& isa = table());

/// scores ← scale · (e^(scores − log) − 1 at the target): the gradient of the sum of losses, times
/// the scale.
void cross_entropy_back(const std::int64_t* targets, const double* logs, float scale,
                        std::size_t rows, std::size_t n, float* scores, ThreadPool& pool,
                        const Table& isa = table());

/// Dropout: y = x / (1 − p) where a mask keeps it, else 0; both [n], y may be x. Number i is kept
/// where its 16 bits of Philox(seed, 0), half word i, are at least 65536 · p.
void dropout(std::uint64_t seed, double p, const float* x, std::size_t n, float* y,
             ThreadPool& pool, const Table& isa = table());

}  // namespace fnet::kernels
