#include "train/ops.h"

#include <ATen/Parallel.h>

#include <functional>

#include "core/parallel.h"
#include "kernels/fourier.h"
#include "kernels/rows.h"

// Without it at::parallel_for, a template, would run on one thread and say nothing.
#ifndef _OPENMP
#error "this file needs OpenMP: see CMakeLists.txt"
#endif

namespace fnet::ops {
namespace {

kernels::Workspace& workspace() {
  thread_local kernels::Workspace mine;
  return mine;
}

/// Runs a job once on each of so many of torch's threads.
void on_threads(int threads, const std::function<void(int)>& job) {
  at::parallel_for(0, threads, 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) job(static_cast<int>(i));
  });
}

std::size_t size_of(std::int64_t value) { return static_cast<std::size_t>(value); }

}  // namespace

ThreadPool pool() { return {at::get_num_threads(), on_threads}; }

DenormalsAreZeroInTorch::DenormalsAreZeroInTorch() : threads_(size_of(at::get_num_threads())) {
  on_threads(static_cast<int>(threads_.size()),
             [&](int thread) { threads_[size_of(thread)].emplace(); });
}

DenormalsAreZeroInTorch::~DenormalsAreZeroInTorch() {
  on_threads(static_cast<int>(threads_.size()),
             [&](int thread) { threads_[size_of(thread)].reset(); });
}

at::Tensor mix(const at::Tensor& x, const Rows& rows, bool ortho, kernels::SpectrumPart part) {
  const at::Tensor in = x.contiguous();
  at::Tensor out = at::empty_like(in);
  const auto hidden = in.size(1);
  const float* from = in.const_data_ptr<float>();
  float* to = out.mutable_data_ptr<float>();
  auto& cache = kernels::fourier_plans(static_cast<std::size_t>(hidden), ortho, part);
  at::parallel_for(0, rows.texts(), 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t text = begin; text < end; ++text) {
      const auto plan = cache.get(static_cast<std::size_t>(rows.rows(text)));
      const std::int64_t offset = rows.begin(text) * hidden;
      kernels::fourier_mix({plan.get(), from + offset, nullptr, to + offset}, {}, workspace());
    }
  });
  return out;
}

at::Tensor product(kernels::Dtype dtype, Factor a, Factor b, const kernels::Finish& finish) {
  const at::Tensor left = a.matrix.contiguous(), right = b.matrix.contiguous();
  const std::int64_t m = left.size(a.transposed ? 1 : 0), k = left.size(a.transposed ? 0 : 1);
  const std::int64_t n = right.size(b.transposed ? 0 : 1);
  TORCH_CHECK(right.size(b.transposed ? 1 : 0) == k, "product: [", m, ", ", k, "] by ",
              right.sizes());
  at::Tensor out = at::empty({m, n}, left.options());
  ThreadPool threads = pool();
  kernels::gemm(dtype, size_of(m), size_of(n), size_of(k),
                {left.const_data_ptr<float>(), size_of(left.size(1)), a.transposed},
                {right.const_data_ptr<float>(), size_of(right.size(1)), b.transposed}, finish,
                out.mutable_data_ptr<float>(), size_of(n), threads, workspace());
  return out;
}

at::Tensor dropout(const at::Tensor& x, double p, std::uint64_t seed) {
  const at::Tensor in = x.contiguous();
  at::Tensor out = at::empty_like(in);
  ThreadPool threads = pool();
  kernels::dropout(seed, p, in.const_data_ptr<float>(), size_of(in.numel()),
                   out.mutable_data_ptr<float>(), threads);
  return out;
}

}  // namespace fnet::ops
