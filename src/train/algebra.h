#pragma once

#include <torch/torch.h>

#include <cstdint>
#include <optional>
#include <utility>

#include "blocks/algebra.h"
#include "core/rows.h"

// Torch's side of the algebra in which blocks/ is written, and faster ways through a formula on the
// CPU in fp32. CUDA, float64 and gradients follow from torch.

namespace fnet {

struct LayerNorm;
struct Mlp;

/// While one lives, this thread evaluates every formula op by op: tests hold the fast ways equal to
/// it.
class FormulasOnly {
 public:
  FormulasOnly();
  ~FormulasOnly();
  FormulasOnly(const FormulasOnly&) = delete;
  FormulasOnly& operator=(const FormulasOnly&) = delete;
};

/// at::Tensor as the formulas see it: what they need is found beside it.
struct TorchTensor {
  using Ids = at::Tensor;  ///< [T] int64

  at::Tensor value;

  TorchTensor() = default;
  TorchTensor(at::Tensor tensor) : value(std::move(tensor)) {}  // NOLINT: the same thing
  operator const at::Tensor&() const { return value; }          // NOLINT

  // Friends, so that at::Tensor's own operators are not in doubt.
  friend TorchTensor operator+(const TorchTensor& a, const TorchTensor& b) {
    return a.value + b.value;
  }
  friend TorchTensor operator-(const TorchTensor& a, const TorchTensor& b) {
    return a.value - b.value;
  }
  friend TorchTensor operator*(const TorchTensor& a, const TorchTensor& b) {
    return a.value * b.value;
  }
  friend TorchTensor operator+(const TorchTensor& a, double b) { return a.value + b; }
  friend TorchTensor operator*(const TorchTensor& a, double b) { return a.value * b; }
};

/// Dropout in training: every mask is a function of (seed, step, place in the model).
template <>
struct Dropout<TorchTensor> {
  bool active = false;
  std::uint64_t seed = 0, step = 0;

  TorchTensor operator()(const TorchTensor& x, double p, std::uint64_t place) const;
};

inline TorchTensor rsqrt(const TorchTensor& x) { return at::rsqrt(x.value); }
inline TorchTensor tanh(const TorchTensor& x) { return at::tanh(x.value); }
inline TorchTensor sigmoid(const TorchTensor& x) { return at::sigmoid(x.value); }
inline TorchTensor relu(const TorchTensor& x) { return at::relu(x.value); }
inline TorchTensor silu(const TorchTensor& x) { return at::silu(x.value); }
inline TorchTensor gelu(const TorchTensor& x) { return at::gelu(x.value); }
inline TorchTensor gelu_tanh(const TorchTensor& x) { return at::gelu(x.value, "tanh"); }

/// The mean of each row: [T, H] → [T, 1].
inline TorchTensor mean_last(const TorchTensor& x) { return x.value.mean(-1, true); }

/// x Wᵀ (+ b): x [T, K], weight [N, K], bias [N] → [T, N]; by our own products on the CPU in fp32,
/// where torch's reach 40 % of the peak on AMD.
TorchTensor dense(const TorchTensor& x, const TorchTensor& weight);
TorchTensor dense(const TorchTensor& x, const TorchTensor& weight, const TorchTensor& bias);

/// Rows of a table by their ids: [V, H], [T] → [T, H].
inline TorchTensor lookup(const TorchTensor& table, const at::Tensor& ids) {
  return at::embedding(table.value, ids);
}

// Each text by itself: [T, H] → [T, H], as blocks/mixer/ says.

/// Its gradient is the same map, so nothing is kept for it. Half types are computed in fp32.
TorchTensor fourier_mix(const TorchTensor& x, const Rows& rows, bool ortho);
TorchTensor hartley_mix(const TorchTensor& x, const Rows& rows, bool ortho);

/// softmax(q kᵀ / √d) v by heads of d columns; where nothing is dropped, by torch's fused function.
TorchTensor attention(const TorchTensor& q, const TorchTensor& k, const TorchTensor& v,
                      const Rows& rows, std::int64_t heads, const DropoutAt<TorchTensor>& drop);

/// matrix[:n, :n] x for a text of n rows: matrix [P, P].
TorchTensor mix_rows(const TorchTensor& matrix, const TorchTensor& x, const Rows& rows);

/// The filter real + i·imag [K, H] of blocks/mixer/gfilter.h. Half types are computed in fp32.
TorchTensor filter_spectrum(const TorchTensor& x, const Rows& rows, const TorchTensor& real,
                            const TorchTensor& imag);

/// Rows past a text's tokens become 0.
TorchTensor zero_padding(const TorchTensor& x, const Rows& rows);

// One row a text: [T, H] → [B, H]; padding is not read.
TorchTensor first_rows(const TorchTensor& x, const Rows& rows);
TorchTensor mean_rows(const TorchTensor& x, const Rows& rows);
TorchTensor max_rows(const TorchTensor& x, const Rows& rows);

static_assert(Algebra<TorchTensor>);

/// x with a share `p` of its elements 0 and the rest scaled by 1/(1-p). The mask is a function of
/// `seed` and the element's place: the same for any number of threads and on any device, and made
/// again in the gradient instead of kept.
at::Tensor dropout(const at::Tensor& x, double p, std::uint64_t seed);

/// What torch or our kernels have in one piece.
template <>
struct Fast<TorchTensor> {
  template <class Part>
  static std::optional<TorchTensor> apply(const Part&, const TorchTensor&,
                                          const Context<TorchTensor>&) {
    return {};
  }
  static std::optional<TorchTensor> apply(const LayerNorm&, const TorchTensor& x,
                                          const Context<TorchTensor>& c);
  /// On the CPU in fp32; the activation and its slope are taken as the products' sums are written.
  static std::optional<TorchTensor> apply(const Mlp&, const TorchTensor& x,
                                          const Context<TorchTensor>& c);
};

}  // namespace fnet
