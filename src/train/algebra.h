#pragma once

#include <torch/torch.h>

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "blocks/weights.h"
#include "core/rows.h"
#include "fnet/config.h"

// at::Tensor's side of the algebra in which blocks/ is written: what torch has no name for, and
// faster ways through a formula on the CPU in fp32. CUDA, float64 and gradients follow from torch.

namespace fnet {

/// While one lives, this thread evaluates every formula op by op: tests hold the fast ways equal to
/// it.
class FormulasOnly {
 public:
  FormulasOnly();
  ~FormulasOnly();
  FormulasOnly(const FormulasOnly&) = delete;
  FormulasOnly& operator=(const FormulasOnly&) = delete;
};

/// See blocks/mixer/fourier.h. Its gradient is the same map, so nothing is kept for it. Half types
/// are computed in fp32.
at::Tensor fourier_mix(const at::Tensor& x, const Rows& rows, bool ortho);

// One row a text: [T, H] → [B, H]; padding is not read.
at::Tensor first_rows(const at::Tensor& x, const Rows& rows);
at::Tensor mean_rows(const at::Tensor& x, const Rows& rows);
at::Tensor max_rows(const at::Tensor& x, const Rows& rows);

/// The norms that torch has fused, or nothing: see `norm` in blocks/model.h.
std::optional<at::Tensor> fast_norm(std::string_view kind, const at::Tensor& x,
                                    const Weights<at::Tensor>& w, double eps);

/// Mlp in one piece on the CPU in fp32, its activation and that one's slope taken as the products'
/// sums are written, or nothing.
std::optional<at::Tensor> fast_feed_forward(const at::Tensor& x, const Weights<at::Tensor>& w,
                                            const Config& config);

/// Dropout: x with a share `p` of its elements 0 and the rest scaled by 1/(1-p). On the CPU the
/// mask is a function of the element's place and of one draw from torch's default generator: the
/// same for any number of threads, and made again in the gradient instead of kept.
at::Tensor dropout(const at::Tensor& x, double p);

/// A linear map of rows, by our own products on the CPU in fp32, where torch's reach 40 % of the
/// peak on AMD.
at::Tensor fast_dense(const at::Tensor& x, const at::Tensor& weight,
                      const std::optional<at::Tensor>& bias);

/// Dropout as blocks/ take it.
struct Drop {
  double p;
  at::Tensor operator()(const at::Tensor& x) const { return p > 0 ? dropout(x, p) : x; }
};

}  // namespace fnet

namespace at {

/// The mean of each row: [T, H] → [T, 1].
inline Tensor mean_last(const Tensor& x) { return x.mean(-1, true); }

inline Tensor gelu_tanh(const Tensor& x) { return at::gelu(x, "tanh"); }

/// x Wᵀ (+ b): x [T, K], weight [N, K], bias [N] → [T, N].
inline Tensor dense(const Tensor& x, const Tensor& weight) {
  return fnet::fast_dense(x, weight, std::nullopt);
}
inline Tensor dense(const Tensor& x, const Tensor& weight, const Tensor& bias) {
  return fnet::fast_dense(x, weight, bias);
}

/// Rows of a table by their ids: [V, H], [T] int64 → [T, H].
inline Tensor lookup(const Tensor& table, const Tensor& ids) { return at::embedding(table, ids); }

}  // namespace at
