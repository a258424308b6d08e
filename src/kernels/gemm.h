#pragma once

#include <cstddef>

#include "core/parallel.h"
#include "kernels/kernels.h"
#include "kernels/workspace.h"

namespace fnet::kernels {

/// A float32 matrix in row-major order, rows `stride` numbers apart, read as its transpose if so
/// said.
struct MatrixView {
  const float* data;
  std::size_t stride;
  bool transposed = false;
};

/// What is made of a product's sums on their way to C: act(sum + bias) + add, or with `slope_at`
/// the gradient of that, sum · act′(slope_at). And the sums of A's rows beside it: where A is a
/// gradient, they are a bias's.
struct Finish {
  const float* bias = nullptr;  ///< [n]
  Activation activation = Activation::none;
  float* before = nullptr;          ///< where sum + bias is kept too, laid out as C
  const float* slope_at = nullptr;  ///< what `before` got, laid out as C
  const float* add = nullptr;       ///< added to the result, laid out as C; not with `slope_at`
  float* row_sums = nullptr;        ///< [m], of a transposed A: where the sums of its rows go
};

/// C = finish(A·B) for A [m, k], B [k, n] (as read: a transposed A is stored [k, m]) and C [m, n],
/// rows `c_stride` apart. Both factors are packed on the way, for training, where weights change
/// with every step, as float32 or rounded to bfloat16; sums are float32. Takes (n + 32) · k numbers
/// of the workspace and about 2 MB a thread. The bits of C do not depend on the number of threads.
void gemm(Dtype dtype, std::size_t m, std::size_t n, std::size_t k, MatrixView a, MatrixView b,
          const Finish& finish, float* c, std::size_t c_stride, ThreadPool& pool,
          Workspace& workspace, const Table& isa = table());

}  // namespace fnet::kernels
