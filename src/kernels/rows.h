#pragma once

#include <cstddef>
#include <cstdint>

#include "core/parallel.h"
#include "kernels/kernels.h"

namespace fnet::kernels {

/// y = norm(x + residual) row by row: x, residual (null: none) and y [rows, n]; y may be either.
/// norm.kind none only adds. A row's result depends on that row alone, bit for bit.
void add_norm(const float* x, const float* residual, std::size_t rows, std::size_t n,
              const NormArgs& norm, float* y, ThreadPool& pool, const Table& isa = table());

/// y = norm(word[id] + type[type] + position[position]) for each row: ids, positions and types
/// [rows], all within their tables (the caller checks); y [rows, hidden]. Null types are all 0.
void embed(const Embedding& tables, const std::int32_t* ids, const std::int32_t* positions,
           const std::int32_t* types, std::size_t rows, float* y, ThreadPool& pool,
           const Table& isa = table());

/// y = act(x), both [n]; y may be x. Errors against the exact function, x finite: relu exact; gelu
/// and gelu_tanh at most 2e-7 or 4 ulp, whichever is more; silu and tanh 4 ulp or 1e-38·|x|.
void activate(Activation activation, const float* x, std::size_t n, float* y, ThreadPool& pool,
              const Table& isa = table());

}  // namespace fnet::kernels
