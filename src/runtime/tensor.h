#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <vector>

#include "core/parallel.h"
#include "core/rows.h"
#include "kernels/product.h"

namespace fnet {

/// The runtime's small tensor: fp32, at most two axes, values shared between copies and never
/// changed after they are made. It evaluates the formulas of blocks/ op by op; what is hot runs in
/// kernels/ instead. It is not to grow: a formula needs these functions and no more.
class Tensor {
 public:
  Tensor() = default;
  /// [rows, cols], or a vector [cols] as [1, cols].
  Tensor(std::int64_t rows, std::int64_t cols);
  Tensor(std::int64_t rows, std::int64_t cols, std::vector<float> values);

  std::int64_t rows() const { return rows_; }
  std::int64_t cols() const { return cols_; }
  std::span<const float> values() const { return {storage_->values.data(), size()}; }
  std::span<const float> row(std::int64_t i) const {
    return values().subspan(static_cast<std::size_t>(i * cols_), static_cast<std::size_t>(cols_));
  }
  /// For the maker of a tensor only.
  std::span<float> fill() { return {storage_->values.data(), size()}; }
  /// Likewise: another shape, values undefined, in the same memory where that is large enough.
  void resize(std::int64_t rows, std::int64_t cols);
  std::size_t capacity_bytes() const;

  /// The same values packed for products, made on first use: for weights.
  const kernels::PackedMatrix& packed() const;

 private:
  std::size_t size() const { return static_cast<std::size_t>(rows_ * cols_); }
  struct Storage {
    std::vector<float> values;
    std::once_flag once;
    kernels::PackedMatrix packed;
  };
  std::int64_t rows_ = 0, cols_ = 0;
  std::shared_ptr<Storage> storage_;
};

/// While it lives, this thread's products and transforms below run on these workers; else on one.
class UseThreads {
 public:
  explicit UseThreads(ThreadPool& pool);
  ~UseThreads();
  UseThreads(const UseThreads&) = delete;
  UseThreads& operator=(const UseThreads&) = delete;

 private:
  ThreadPool* outer_;
};

// Element by element; [T, 1] and [1, H] are repeated to [T, H].
Tensor operator+(const Tensor& a, const Tensor& b);
Tensor operator-(const Tensor& a, const Tensor& b);
Tensor operator*(const Tensor& a, const Tensor& b);
Tensor operator+(const Tensor& a, double b);
Tensor operator*(const Tensor& a, double b);

Tensor rsqrt(const Tensor& x);
Tensor tanh(const Tensor& x);
Tensor sigmoid(const Tensor& x);
Tensor relu(const Tensor& x);
Tensor silu(const Tensor& x);
Tensor gelu(const Tensor& x);
Tensor gelu_tanh(const Tensor& x);

/// The mean of each row: [T, H] → [T, 1].
Tensor mean_last(const Tensor& x);

/// x Wᵀ (+ b): x [T, K], weight [N, K], bias [N] → [T, N].
Tensor dense(const Tensor& x, const Tensor& weight);
Tensor dense(const Tensor& x, const Tensor& weight, const Tensor& bias);

/// Rows of a table by their ids: [V, H], [T] → [T, H].
Tensor lookup(const Tensor& table, std::span<const std::int32_t> ids);
inline Tensor lookup(const Tensor& table, const std::vector<std::int32_t>& ids) {
  return lookup(table, std::span<const std::int32_t>(ids));
}

/// The Fourier transform of blocks/mixer/fourier.h, text by text.
Tensor fourier_mix(const Tensor& x, const Rows& rows, bool ortho);

// One row a text: [T, H] → [B, H]; padding is not read.
Tensor first_rows(const Tensor& x, const Rows& rows);
Tensor mean_rows(const Tensor& x, const Rows& rows);
Tensor max_rows(const Tensor& x, const Rows& rows);

}  // namespace fnet
