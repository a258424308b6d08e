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

/// C = A·B + beta·C for A [m, k], B [k, n] (as read: a transposed A is stored [k, m]) and C [m, n],
/// rows `c_stride` apart. Both factors are packed on the way, for training, where weights change
/// with every step. Takes (n + 32) · k · 4 bytes of the workspace and about 2 MB a thread. beta 0
/// does not read C. The bits of C do not depend on the number of threads.
void gemm(std::size_t m, std::size_t n, std::size_t k, MatrixView a, MatrixView b, float beta,
          float* c, std::size_t c_stride, ThreadPool& pool, Workspace& workspace,
          const Table& isa = table());

}  // namespace fnet::kernels
