#include "train/ops.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "core/parallel.h"
#include "core/random.h"
#include "kernels/fourier.h"
#include "kernels/gemm.h"

namespace fnet::ops {
namespace {

/// What a kernel needs on one of torch's threads: the work is shared out here, so the kernel itself
/// runs on one.
struct Place {
  kernels::Workspace workspace;
  ThreadPool alone{1};
};

Place& place() {
  thread_local Place mine;
  return mine;
}

}  // namespace

at::Tensor mix(const at::Tensor& x, const Rows& rows, bool ortho) {
  const at::Tensor in = x.contiguous();
  at::Tensor out = at::empty_like(in);
  const auto hidden = in.size(1);
  const float* from = in.const_data_ptr<float>();
  float* to = out.mutable_data_ptr<float>();
  auto& cache = kernels::fourier_plans(static_cast<std::size_t>(hidden), ortho);
  at::parallel_for(0, rows.texts(), 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t text = begin; text < end; ++text) {
      const auto plan = cache.get(static_cast<std::size_t>(rows.rows(text)));
      const std::int64_t offset = rows.begin(text) * hidden;
      kernels::fourier_mix({plan.get(), from + offset, nullptr, to + offset}, {},
                           place().workspace);
    }
  });
  return out;
}

at::Tensor product(Factor a, Factor b, const at::Tensor& bias) {
  const at::Tensor left = a.matrix.contiguous(), right = b.matrix.contiguous();
  const std::int64_t m = left.size(a.transposed ? 1 : 0), k = left.size(a.transposed ? 0 : 1);
  const std::int64_t n = right.size(b.transposed ? 0 : 1);
  TORCH_CHECK(right.size(b.transposed ? 1 : 0) == k, "product: [", m, ", ", k, "] by ",
              right.sizes());
  at::Tensor out = at::empty({m, n}, left.options());
  const float* from = left.const_data_ptr<float>();
  const float* with = right.const_data_ptr<float>();
  float* to = out.mutable_data_ptr<float>();
  const float* add = bias.defined() ? bias.const_data_ptr<float>() : nullptr;
  const std::int64_t stride = left.size(1);
  // Each thread packs all of b: a share of rows must be worth it.
  constexpr std::int64_t kLeastRows = 64;
  at::parallel_for(0, m, kLeastRows, [&](std::int64_t begin, std::int64_t end) {
    if (add != nullptr) {
      for (std::int64_t row = begin; row < end; ++row) std::copy_n(add, n, to + row * n);
    }
    const auto size = [](std::int64_t value) { return static_cast<std::size_t>(value); };
    kernels::gemm(size(end - begin), size(n), size(k),
                  {from + (a.transposed ? begin : begin * stride), size(stride), a.transposed},
                  {with, size(right.size(1)), b.transposed}, add != nullptr ? 1.0F : 0.0F,
                  to + begin * n, size(n), place().alone, place().workspace);
  });
  return out;
}

at::Tensor keep_some(const at::Tensor& x, double p, std::uint64_t seed) {
  // 16 random bits decide an element, eight elements share a Philox block.
  constexpr std::int64_t kGroup = 8;
  const auto threshold = static_cast<std::uint32_t>(std::lround(p * 65536.0));
  const auto scale = static_cast<float>(65536.0 / (65536.0 - threshold));
  const at::Tensor in = x.contiguous();
  at::Tensor out = at::empty_like(in);
  const float* from = in.const_data_ptr<float>();
  float* to = out.mutable_data_ptr<float>();
  const std::int64_t size = in.numel();
  at::parallel_for(0, (size + kGroup - 1) / kGroup, 4096,
                   [&](std::int64_t begin, std::int64_t end) {
                     const Philox random(seed, 0);
                     for (std::int64_t group = begin; group < end; ++group) {
                       const auto words = random.block(static_cast<std::uint64_t>(group));
                       const std::int64_t first = group * kGroup;
                       const std::int64_t count = std::min(kGroup, size - first);
                       for (std::int64_t i = 0; i < count; ++i) {
                         const std::uint32_t bits =
                             words[static_cast<std::size_t>(i / 2)] >> (16 * (i % 2)) & 0xFFFF;
                         to[first + i] = bits >= threshold ? from[first + i] * scale : 0.0F;
                       }
                     }
                   });
  return out;
}

}  // namespace fnet::ops
