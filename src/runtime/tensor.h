#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <vector>

#include "blocks/algebra.h"
#include "core/bags.h"
#include "core/parallel.h"
#include "core/rows.h"
#include "kernels/product.h"
#include "kernels/workspace.h"

namespace fnet {

struct TensorStorage;

/// The runtime's small tensor: fp32, at most two axes, values shared between copies and never
/// changed after they are made. It evaluates formulas of blocks/ for the parts that have no kernel.
/// It is not to grow: a formula needs the functions of blocks/algebra.h and no more.
class Tensor {
 public:
  using Ids = std::span<const std::int32_t>;

  Tensor() = default;
  /// [rows, cols], or a vector [cols] as [1, cols]; values undefined.
  Tensor(std::int64_t rows, std::int64_t cols);
  Tensor(std::int64_t rows, std::int64_t cols, std::span<const float> values);
  /// Values that lie elsewhere, kept alive by their owner, or by the caller where that is null.
  Tensor(std::int64_t rows, std::int64_t cols, std::shared_ptr<const float> values);
  /// Weights [n, k] for `dense` alone: there are no values to read.
  explicit Tensor(kernels::PackedMatrix packed);

  std::int64_t rows() const { return rows_; }
  std::int64_t cols() const { return cols_; }
  std::span<const float> values() const { return {data_, size()}; }
  std::span<const float> row(std::int64_t i) const {
    return values().subspan(static_cast<std::size_t>(i * cols_), static_cast<std::size_t>(cols_));
  }
  /// For the maker of a tensor only.
  std::span<float> fill() { return {const_cast<float*>(data_), size()}; }
  /// Likewise: another shape, values undefined, in the same memory where that is large enough.
  void resize(std::int64_t rows, std::int64_t cols);

  /// Bytes that it keeps.
  std::size_t bytes() const;

  /// The same values as products read them; packed on first use where they are not already.
  const kernels::PackedMatrix& packed() const;

 private:
  std::size_t size() const { return static_cast<std::size_t>(rows_ * cols_); }

  std::int64_t rows_ = 0, cols_ = 0;
  const float* data_ = nullptr;
  std::shared_ptr<TensorStorage> storage_;
};

/// Memory for the tensors of an evaluation, used again once a tensor is gone: an evaluation that is
/// repeated takes no more. For one thread at a time.
class Arena {
 public:
  Arena();
  ~Arena();
  Arena(Arena&&) noexcept;
  Arena& operator=(Arena&&) noexcept;

  std::shared_ptr<TensorStorage> take(std::size_t values);
  std::size_t bytes() const;

  kernels::Workspace workspace;  ///< of the products and transforms

 private:
  std::vector<std::shared_ptr<TensorStorage>> blocks_;
};

/// While it lives, this thread's tensor functions run on these workers, in this memory, and pack
/// weights in this type; else on this thread alone, in memory of their own, in float32.
class TensorScope {
 public:
  TensorScope(ThreadPool& pool, Arena& arena, kernels::Dtype dtype);
  ~TensorScope();
  TensorScope(const TensorScope&) = delete;
  TensorScope& operator=(const TensorScope&) = delete;

 private:
  friend struct TensorScopeAccess;
  ThreadPool* pool_;
  Arena* arena_;
  kernels::Dtype dtype_;
  TensorScope* outer_;
};

/// A pool that is this thread alone.
ThreadPool& this_thread();

// Element by element; [T, 1] and [1, H] are repeated to [T, H].
Tensor operator+(const Tensor& a, const Tensor& b);
Tensor operator-(const Tensor& a, const Tensor& b);
Tensor operator*(const Tensor& a, const Tensor& b);
Tensor operator/(const Tensor& a, const Tensor& b);
Tensor operator+(const Tensor& a, double b);
Tensor operator*(const Tensor& a, double b);

Tensor rsqrt(const Tensor& x);
Tensor log(const Tensor& x);
Tensor tanh(const Tensor& x);
Tensor sigmoid(const Tensor& x);
Tensor relu(const Tensor& x);
Tensor silu(const Tensor& x);
Tensor gelu(const Tensor& x);
Tensor gelu_tanh(const Tensor& x);

/// The mean of each row: [T, H] → [T, 1].
Tensor mean_last(const Tensor& x);
/// e^x / Σ e^x of each row.
Tensor softmax_last(const Tensor& x);

/// Columns [first, first + count) of x.
Tensor columns(const Tensor& x, std::int64_t first, std::int64_t count);
/// The columns of all, in order: [T, H₀], [T, H₁], … → [T, ΣH].
Tensor concat(const std::vector<Tensor>& parts);
/// Columns seen as [groups, H / groups], transposed. Source: Zhang et al. 2018 (ShuffleNet).
Tensor channel_shuffle(const Tensor& x, std::int64_t groups);

/// x Wᵀ (+ b): x [T, K], weight [N, K], bias [N] → [T, N].
Tensor dense(const Tensor& x, const Tensor& weight);
Tensor dense(const Tensor& x, const Tensor& weight, const Tensor& bias);

/// Rows of a table by their ids: [V, H], [T] → [T, H].
Tensor lookup(const Tensor& table, Tensor::Ids ids);
/// x tableᵀ + bias: x [T, H], table [V, H], bias [V] → [T, V], in float32. The table, which is
/// large, is not kept packed beside itself.
Tensor dense_table(const Tensor& x, const Tensor& table, const Tensor& bias);

// Each text by itself: [T, H] → [T, H], as blocks/mixer/ says. Dropout is not done here.
Tensor fourier_mix(const Tensor& x, const Rows& rows, bool ortho);
Tensor hartley_mix(const Tensor& x, const Rows& rows, bool ortho);
/// softmax(q kᵀ / √d) v by heads of d columns: blocks/mixer/attention.h.
Tensor attention(const Tensor& q, const Tensor& k, const Tensor& v, const Rows& rows,
                 std::int64_t heads, const DropoutAt<Tensor>&);
/// matrix[:n, :n] x for a text of n rows: matrix [P, P].
Tensor mix_rows(const Tensor& matrix, const Tensor& x, const Rows& rows);
/// The filter real + i·imag [K, H] of blocks/mixer/gfilter.h.
Tensor filter_spectrum(const Tensor& x, const Rows& rows, const Tensor& real, const Tensor& imag);
/// Rows past a text's tokens become 0.
Tensor zero_padding(const Tensor& x, const Rows& rows);

// One row a text: [T, H] → [B, H]; padding is not read.
Tensor first_rows(const Tensor& x, const Rows& rows);
Tensor last_rows(const Tensor& x, const Rows& rows);
Tensor mean_rows(const Tensor& x, const Rows& rows);
Tensor max_rows(const Tensor& x, const Rows& rows);
Tensor sum_rows(const Tensor& x, const Rows& rows);

/// Each text's row, for all rows of the text: [B, H] → [T, H].
Tensor repeat_rows(const Tensor& x, const Rows& rows);

/// The sum of a text's rows up to each, padding not counted: [T, H] → [T, H].
Tensor cumsum_rows(const Tensor& x, const Rows& rows);

/// e^x / Σ e^x of each column over a text's rows; rows of padding become 0.
Tensor softmax_rows(const Tensor& x, const Rows& rows);

/// The mean of all texts' rows without padding: [T, H] → [1, H].
Tensor batch_mean(const Tensor& x, const Rows& rows);

/// Nothing: there is no training here.
inline void track(const Tensor&, const Tensor&, double) {}

/// The sum of value · row over each text's entries: [F, C] → [B, C]. Source: torch's EmbeddingBag,
/// mode sum.
Tensor embedding_bag(const Tensor& table, const Bags& bags);

static_assert(Algebra<Tensor>);

}  // namespace fnet
