#pragma once

#include <torch/torch.h>

#include <cstdint>
#include <optional>
#include <vector>

#include "core/denormals.h"
#include "core/parallel.h"
#include "core/rows.h"
#include "kernels/fourier_kernels.h"
#include "kernels/gemm.h"

// Kernels under the algebra: values only, fp32 on the CPU, contiguous or made so. The work is split
// over torch's threads in such a way that the bits do not depend on how many there are.
namespace fnet::ops {

/// Torch's threads as a pool.
ThreadPool pool();

/// Re F of each text's rows of x [T, H], or Re F − Im F, F = FFT2.
at::Tensor mix(const at::Tensor& x, const Rows& rows, bool ortho, kernels::SpectrumPart part);

/// A matrix read as its transpose if so said.
struct Factor {
  const at::Tensor& matrix;
  bool transposed = false;
};

/// finish(a·b) → [m, n]; the factors as they are, or rounded to bfloat16.
at::Tensor product(kernels::Dtype dtype, Factor a, Factor b, const kernels::Finish& finish = {});

/// While it lives, denormals are zero in torch's threads too.
class DenormalsAreZeroInTorch {
 public:
  DenormalsAreZeroInTorch();
  ~DenormalsAreZeroInTorch();
  DenormalsAreZeroInTorch(const DenormalsAreZeroInTorch&) = delete;
  DenormalsAreZeroInTorch& operator=(const DenormalsAreZeroInTorch&) = delete;

 private:
  std::vector<std::optional<DenormalsAreZero>> threads_;
};

/// x where a mask made from (seed, place) keeps it, scaled by 1/(1-p); 0 elsewhere.
at::Tensor dropout(const at::Tensor& x, double p, std::uint64_t seed);

}  // namespace fnet::ops
