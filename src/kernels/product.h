#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "core/parallel.h"
#include "kernels/kernels.h"
#include "kernels/types.h"
#include "kernels/workspace.h"

namespace fnet::kernels {

/// Weights of a linear layer, packed once in the order in which the products of one instruction set
/// read them: panels of columns, each cut into chunks() of the summed dimension.
class PackedMatrix {
 public:
  PackedMatrix() = default;
  std::size_t n() const noexcept { return n_; }  ///< Outputs.
  std::size_t k() const noexcept { return k_; }  ///< Inputs.
  Dtype dtype() const noexcept { return dtype_; }
  const Table& isa() const noexcept { return *isa_; }
  /// All that it holds, in one piece: packed_in() takes it back.
  std::span<const std::byte> stored() const noexcept { return {memory_.get(), bytes_}; }
  const std::shared_ptr<const std::byte>& memory() const noexcept { return memory_; }

  Chunks chunks() const noexcept { return chunks_; }
  std::size_t panels() const noexcept;
  /// Numbers of the summed dimension in chunk c.
  std::size_t length(std::size_t c) const noexcept;
  RightChunk chunk(std::size_t panel, std::size_t c) const noexcept;

 private:
  friend PackedMatrix pack(const float*, std::size_t, std::size_t, Dtype, ThreadPool*,
                           const Table&);
  friend PackedMatrix packed_in(std::shared_ptr<const std::byte>, std::size_t, std::size_t,
                                std::size_t, Dtype, const Table&);
  PackedMatrix(std::size_t n, std::size_t k, Dtype dtype, const Table& isa);
  std::size_t lay_out(const std::byte* memory);

  std::size_t n_ = 0, k_ = 0, bytes_ = 0, panel_units_ = 0;
  Dtype dtype_ = Dtype::float32;
  Chunks chunks_{};
  const Table* isa_ = nullptr;
  std::shared_ptr<const std::byte> memory_;
  const std::uint32_t* units_ = nullptr;  // [panels][units of k][panel]
  const float* scale_ = nullptr;          // int8: [panels · panel]
  const std::int32_t* sums_ = nullptr;    // int8: [panels][chunks][panel]
};

/// Packs weights [n, k] ("out, in", row-major) for the products below. bfloat16 rounds to nearest;
/// int8 rounds each output's weights to 1/127 of its largest magnitude.
PackedMatrix pack(const float* weights, std::size_t n, std::size_t k, Dtype dtype,
                  ThreadPool* pool = nullptr, const Table& isa = table());

/// The matrix whose stored() lies at `memory`, aligned to 64 bytes, and is not copied.
/// Throws: input where `bytes` is not the size of such a matrix.
PackedMatrix packed_in(std::shared_ptr<const std::byte> memory, std::size_t bytes, std::size_t n,
                       std::size_t k, Dtype dtype, const Table& isa = table());

/// y = act(x · Wᵀ + bias): x [rows, k], bias [n] or null, y [rows, n]; with n = k y may be x. A
/// row's result depends on that row alone, bit for bit.
void linear(const float* x, std::size_t rows, const PackedMatrix& weights, const float* bias,
            Activation activation, float* y, ThreadPool& pool, Workspace& workspace);

/// The layer's feed-forward: hidden = act(up·x + b) or, gated, act(gate·x + b) ⊙ (up·x + b);
/// y = norm(residual + down·hidden + b). Matrices in one dtype; up and gate [F, H], down [H, F].
struct FeedForward {
  const PackedMatrix* up = nullptr;
  const PackedMatrix* gate = nullptr;  ///< null: not gated
  const PackedMatrix* down = nullptr;
  const float* up_bias = nullptr;  ///< [F] or null, as gate_bias
  const float* gate_bias = nullptr;
  const float* down_bias = nullptr;  ///< [H] or null
  Activation activation = Activation::gelu;
  NormArgs norm;
};

/// x, residual and y [rows, H]; y may be x or residual. Without a residual (null) nothing is added.
void feed_forward(const FeedForward& layer, const float* x, const float* residual, float* y,
                  std::size_t rows, ThreadPool& pool, Workspace& workspace);

/// The post-norm layer, whose residual is its input.
inline void feed_forward(const FeedForward& layer, const float* x, float* y, std::size_t rows,
                         ThreadPool& pool, Workspace& workspace) {
  feed_forward(layer, x, x, y, rows, pool, workspace);
}

}  // namespace fnet::kernels
