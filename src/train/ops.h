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
#include "kernels/types.h"

// Kernels under the algebra: values only, fp32 on the CPU, contiguous or made so. The work is split
// over torch's threads in such a way that the bits do not depend on how many there are.
namespace fnet::ops {

/// Torch's threads as a pool.
ThreadPool pool();

/// Texts without padding that lie there.
Rows rows_from(const std::vector<std::int64_t>& offsets);

/// Re F of each text's rows of x [T, H], or Re F − Im F, F = FFT2; a residual that is defined is
/// added.
at::Tensor mix(const at::Tensor& x, const Rows& rows, bool ortho, kernels::SpectrumPart part,
               const at::Tensor& residual = {});

/// A matrix read as its transpose if so said.
struct Factor {
  const at::Tensor& matrix;
  bool transposed = false;
};

/// finish(a·b) → [m, n]; the factors as they are, or rounded to bfloat16.
at::Tensor product(kernels::Dtype dtype, Factor a, Factor b, const kernels::Finish& finish = {});

/// The gradients of a map's weight [N, K] and bias [N], by that of its result [T, N] and what it
/// read [T, K]; undefined where they are not wanted.
struct MapGradients {
  at::Tensor weight, bias;
};
MapGradients map_gradients(kernels::Dtype dtype, const at::Tensor& grad, const at::Tensor& x,
                           bool weight, bool bias);

/// A norm of a sum: kernels::SumNorm with its tensors, each of which may be undefined.
struct SumNorm {
  kernels::NormKind kind;
  double eps = 0, p = 0;
  std::uint64_t seed = 0;
  at::Tensor weight = {}, bias = {};  ///< [H]
};

/// Both [T, H]. The sum takes x's memory, where something is added to it or dropped.
struct Summed {
  at::Tensor sum, y;
};
Summed sum_norm(const SumNorm& layer, const at::Tensor& x, const at::Tensor& residual = {});

/// The gradients of the sum, of x before dropout, and of the norm's tensors.
struct SumGradients {
  at::Tensor sum, x, weight, bias;
};
SumGradients sum_norm_back(const SumNorm& layer, const at::Tensor& sum, const at::Tensor& grad);

/// −log softmax(scores)[target] of each row of scores [P, V] in double [P], and log Σ e^scores [P].
/// Throws where a target is none of the V.
struct RowLosses {
  at::Tensor losses, logs;
};
RowLosses cross_entropy(const at::Tensor& scores, const at::Tensor& targets);

/// scores ← scale · (softmax(scores) − 1 at the target), by the logs of the way there.
void cross_entropy_back(const at::Tensor& scores, const at::Tensor& targets, const at::Tensor& logs,
                        double scale);

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
