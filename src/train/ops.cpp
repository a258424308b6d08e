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

/// Null where there is none.
const float* read(const at::Tensor& x) { return x.defined() ? x.const_data_ptr<float>() : nullptr; }
float* numbers_of(const at::Tensor& x) {
  return x.defined() ? x.mutable_data_ptr<float>() : nullptr;
}

kernels::SumNorm of_kernel(const SumNorm& layer) {
  return {.norm = {.kind = layer.kind,
                   .weight = read(layer.weight),
                   .bias = read(layer.bias),
                   .eps = static_cast<float>(layer.eps)},
          .p = layer.p,
          .seed = layer.seed};
}

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

Rows rows_from(const std::vector<std::int64_t>& offsets) {
  Rows rows;
  for (std::size_t i = 1; i < offsets.size(); ++i) rows.add(offsets[i] - offsets[i - 1]);
  return rows;
}

at::Tensor mix(const at::Tensor& x, const Rows& rows, bool ortho, kernels::SpectrumPart part,
               const at::Tensor& residual) {
  const at::Tensor in = x.contiguous(),
                   added = residual.defined() ? residual.contiguous() : residual;
  at::Tensor out = at::empty_like(in);
  const auto hidden = in.size(1);
  auto& cache = kernels::fourier_plans(size_of(hidden), ortho, part);
  std::vector<std::shared_ptr<const kernels::FourierPlan>> plans;
  std::vector<kernels::FourierText> texts;
  for (std::int64_t text = 0; text < rows.texts(); ++text) {
    plans.push_back(cache.get(size_of(rows.rows(text))));
    const std::int64_t offset = rows.begin(text) * hidden;
    texts.push_back({plans.back().get(), in.const_data_ptr<float>() + offset,
                     added.defined() ? added.const_data_ptr<float>() + offset : nullptr,
                     out.mutable_data_ptr<float>() + offset});
  }
  ThreadPool threads = pool();
  kernels::fourier_mix(texts, {}, threads, workspace());
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

MapGradients map_gradients(kernels::Dtype dtype, const at::Tensor& grad, const at::Tensor& x,
                           bool weight, bool bias) {
  MapGradients out;
  const at::Tensor from = grad.contiguous();
  if (bias) out.bias = at::empty({from.size(1)}, from.options());
  if (weight) {
    out.weight = product(dtype, {from, true}, {x}, {.row_sums = numbers_of(out.bias)});
  } else if (bias) {
    ThreadPool threads = pool();
    kernels::column_sums(read(from), size_of(from.size(0)), size_of(from.size(1)),
                         numbers_of(out.bias), threads);
  }
  return out;
}

Summed sum_norm(const SumNorm& layer, const at::Tensor& x, const at::Tensor& residual) {
  at::Tensor sum = x.contiguous();
  const at::Tensor added = residual.defined() ? residual.contiguous() : residual;
  at::Tensor y = at::empty_like(sum);
  ThreadPool threads = pool();
  kernels::sum_norm(of_kernel(layer), sum.const_data_ptr<float>(), read(added),
                    size_of(sum.size(0)), size_of(sum.size(1)),
                    added.defined() || layer.p > 0 ? numbers_of(sum) : nullptr, numbers_of(y),
                    threads);
  return {sum, y};
}

SumGradients sum_norm_back(const SumNorm& layer, const at::Tensor& sum, const at::Tensor& grad) {
  const at::Tensor from = grad.contiguous();
  SumGradients out{.sum = at::empty_like(sum), .x = {}, .weight = {}, .bias = {}};
  if (layer.p > 0) out.x = at::empty_like(sum);
  if (layer.weight.defined()) out.weight = at::empty_like(layer.weight);
  if (layer.bias.defined()) out.bias = at::empty_like(layer.bias);
  ThreadPool threads = pool();
  kernels::sum_norm_back(of_kernel(layer), read(sum), read(from), size_of(sum.size(0)),
                         size_of(sum.size(1)), numbers_of(out.sum), numbers_of(out.x),
                         numbers_of(out.weight), numbers_of(out.bias), threads, workspace());
  if (layer.p == 0) out.x = out.sum;
  return out;
}

RowLosses cross_entropy(const at::Tensor& scores, const at::Tensor& targets) {
  const std::int64_t columns = scores.size(1);
  TORCH_CHECK(targets.numel() == scores.size(0) && targets.is_contiguous(),
              "cross_entropy: ", targets.sizes(), " targets of ", scores.sizes());
  const auto* target = targets.const_data_ptr<std::int64_t>();
  for (std::int64_t i = 0; i < targets.numel(); ++i)
    TORCH_CHECK(target[i] >= 0 && target[i] < columns, "cross_entropy: target ", target[i]);
  RowLosses out{at::empty(targets.sizes(), at::kDouble), at::empty(targets.sizes(), at::kDouble)};
  ThreadPool threads = pool();
  kernels::cross_entropy(read(scores), target, size_of(scores.size(0)), size_of(columns),
                         out.losses.mutable_data_ptr<double>(), out.logs.mutable_data_ptr<double>(),
                         threads);
  return out;
}

void cross_entropy_back(const at::Tensor& scores, const at::Tensor& targets, const at::Tensor& logs,
                        double scale) {
  ThreadPool threads = pool();
  kernels::cross_entropy_back(targets.const_data_ptr<std::int64_t>(), logs.const_data_ptr<double>(),
                              static_cast<float>(scale), size_of(scores.size(0)),
                              size_of(scores.size(1)), numbers_of(scores), threads);
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
