#pragma once

#include <torch/torch.h>

#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "blocks/algebra.h"
#include "core/bags.h"
#include "core/rows.h"
#include "kernels/types.h"

// Torch's side of the algebra in which blocks/ is written, and faster ways through a formula on the
// CPU in fp32. CUDA, float64 and gradients follow from torch.

namespace fnet {

struct FeedForwardHalf;
struct LayerNorm;
struct MixingHalf;
struct Mlp;
struct RmsNorm;

/// While one lives, this thread evaluates every formula op by op: tests hold the fast ways equal to
/// it.
class FormulasOnly {
 public:
  FormulasOnly();
  ~FormulasOnly();
  FormulasOnly(const FormulasOnly&) = delete;
  FormulasOnly& operator=(const FormulasOnly&) = delete;

  /// Whether one lives.
  static bool active();
};

/// While one lives, products that this thread begins take their factors rounded to a type, forward
/// and in their gradients; sums are float32. On the CPU in fp32 our kernels do that. Elsewhere, and
/// with formulas only, it is torch's autocast: what a product gives has that type too until it
/// meets a float32, as in the sum of a half of a block, and norms, softmax and losses are float32.
/// Gradients are asked for when it is gone.
class ProductsIn {
 public:
  struct Choice {
    at::ScalarType type = at::kFloat;
    at::DeviceType device = at::kCPU;
  };

  explicit ProductsIn(Choice choice);
  ~ProductsIn();
  ProductsIn(const ProductsIn&) = delete;
  ProductsIn& operator=(const ProductsIn&) = delete;

  /// What this thread chose.
  static Choice now();
  /// What products by our kernels take now.
  static kernels::Dtype of_kernels();

 private:
  Choice before_;
  std::optional<at::ScalarType> autocast_before_;  // its type, where this object set it
  bool autocast_was_on_ = false;
};

/// Whether a kernel for the CPU in fp32 may stand for a formula of x.
bool fast(const at::Tensor& x);

/// Half types in fp32.
at::Tensor widened(const at::Tensor& x);

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
  friend TorchTensor operator/(const TorchTensor& a, const TorchTensor& b) {
    return a.value / b.value;
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
  /// The seed of the mask at a place.
  std::uint64_t mask_seed(std::uint64_t place) const;
  TorchTensor path(const TorchTensor& x, const Rows& rows, double p, std::uint64_t place) const;
};

inline TorchTensor rsqrt(const TorchTensor& x) { return at::rsqrt(x.value); }
inline TorchTensor log(const TorchTensor& x) { return at::log(x.value); }
inline TorchTensor tanh(const TorchTensor& x) { return at::tanh(x.value); }
inline TorchTensor sigmoid(const TorchTensor& x) { return at::sigmoid(x.value); }
inline TorchTensor relu(const TorchTensor& x) { return at::relu(x.value); }
inline TorchTensor silu(const TorchTensor& x) { return at::silu(x.value); }
inline TorchTensor gelu(const TorchTensor& x) { return at::gelu(x.value); }
inline TorchTensor gelu_tanh(const TorchTensor& x) { return at::gelu(x.value, "tanh"); }

/// The mean of each row: [T, H] → [T, 1].
inline TorchTensor mean_last(const TorchTensor& x) { return x.value.mean(-1, true); }
/// e^x / Σ e^x of each row.
inline TorchTensor softmax_last(const TorchTensor& x) { return at::softmax(x.value, -1); }

/// Columns [first, first + count) of x.
inline TorchTensor columns(const TorchTensor& x, std::int64_t first, std::int64_t count) {
  return x.value.narrow(-1, first, count);
}
/// The columns of all, in order: [T, H₀], [T, H₁], … → [T, ΣH].
TorchTensor concat(const std::vector<TorchTensor>& parts);
/// Columns seen as [groups, H / groups], transposed. Source: Zhang et al. 2018 (ShuffleNet).
inline TorchTensor channel_shuffle(const TorchTensor& x, std::int64_t groups) {
  return x.value.reshape({x.value.size(0), groups, -1}).transpose(1, 2).reshape(x.value.sizes());
}

/// x Wᵀ (+ b): x [T, K], weight [N, K], bias [N] → [T, N]; by our own products on the CPU in fp32,
/// where torch's reach 40 % of the peak on AMD.
TorchTensor dense(const TorchTensor& x, const TorchTensor& weight);
TorchTensor dense(const TorchTensor& x, const TorchTensor& weight, const TorchTensor& bias);

/// Rows of a table by their ids: [V, H], [T] → [T, H].
inline TorchTensor lookup(const TorchTensor& table, const at::Tensor& ids) {
  return at::embedding(table.value, ids);
}

/// x tableᵀ + bias of a table that lookup reads: its gradient is the sum of both.
inline TorchTensor dense_table(const TorchTensor& x, const TorchTensor& table,
                               const TorchTensor& bias) {
  return dense(x, table, bias);
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
TorchTensor last_rows(const TorchTensor& x, const Rows& rows);
TorchTensor mean_rows(const TorchTensor& x, const Rows& rows);
TorchTensor max_rows(const TorchTensor& x, const Rows& rows);
TorchTensor sum_rows(const TorchTensor& x, const Rows& rows);

/// Each text's row, for all rows of the text: [B, H] → [T, H].
TorchTensor repeat_rows(const TorchTensor& x, const Rows& rows);

/// The sum of a text's rows up to each, padding not counted: [T, H] → [T, H].
TorchTensor cumsum_rows(const TorchTensor& x, const Rows& rows);

/// e^x / Σ e^x of each column over a text's rows; rows of padding become 0.
TorchTensor softmax_rows(const TorchTensor& x, const Rows& rows);

/// The mean of all texts' rows without padding: [T, H] → [1, H].
TorchTensor batch_mean(const TorchTensor& x, const Rows& rows);

/// buffer ← momentum · buffer + (1 − momentum) · value, in place and without a gradient.
void track(const TorchTensor& buffer, const TorchTensor& value, double momentum);

/// The sum of value · row over each text's entries: [F, C] → [B, C].
TorchTensor embedding_bag(const TorchTensor& table, const Bags& bags);

static_assert(Algebra<TorchTensor>);

/// x with a share `p` of its elements 0 and the rest scaled by 1/(1-p). The mask is a function of
/// `seed` and the element's place. On the CPU it is the same for any number of threads, and made
/// again in the gradient instead of kept; on another device it is that device's own.
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
  // What follows on the CPU in fp32.
  static std::optional<TorchTensor> apply(const RmsNorm&, const TorchTensor& x,
                                          const Context<TorchTensor>& c);
  /// With norms behind: mixing and sum in one pass, of which only the sum is kept.
  static std::optional<TorchTensor> apply(const MixingHalf&, const TorchTensor& x,
                                          const Context<TorchTensor>& c);
  /// With norms behind: dropout, sum and norm in one pass behind the feed-forward.
  static std::optional<TorchTensor> apply(const FeedForwardHalf&, const TorchTensor& x,
                                          const Context<TorchTensor>& c);
  /// The activation and its slope are taken as the products' sums are written.
  static std::optional<TorchTensor> apply(const Mlp&, const TorchTensor& x,
                                          const Context<TorchTensor>& c);
};

}  // namespace fnet
