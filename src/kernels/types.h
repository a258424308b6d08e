#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace fnet::kernels {

/// What the factors of a product are held in; sums are float32 (int32 for int8, exact).
enum class Dtype : std::uint8_t { float32, bfloat16, int8 };

/// Their names, in that order.
inline constexpr std::array<std::string_view, 3> kDtypeNames = {"float32", "bfloat16", "int8"};

constexpr std::string_view name_of(Dtype dtype) {
  return kDtypeNames[static_cast<std::size_t>(dtype)];
}

/// The type of a name in kDtypeNames.
constexpr std::optional<Dtype> dtype_named(std::string_view name) {
  for (std::size_t i = 0; i < kDtypeNames.size(); ++i) {
    if (kDtypeNames[i] == name) return static_cast<Dtype>(i);
  }
  return {};
}

/// gelu is x·Φ(x); gelu_tanh is its tanh form (Hugging Face's `gelu_new`, `gelu_pytorch_tanh`).
enum class Activation : std::uint8_t {
  none,
  gelu,
  gelu_tanh,
  relu,
  sigmoid,
  silu,
  squared_relu,
  tanh
};

/// Their names, in that order: those of the functions in blocks/.
inline constexpr std::array<std::string_view, 8> kActivationNames = {
    "identity", "gelu", "gelu_tanh", "relu", "sigmoid", "silu", "squared_relu", "tanh"};

/// y = a op b, element by element.
enum class Binary : std::uint8_t { add, subtract, multiply, divide };

/// A factor [rows, columns] of such an operation.
struct Operand {
  const float* data;
  std::size_t stride;  ///< from row to row; 0: the same row for all
  bool one_column;     ///< one number a row, repeated
};

enum class NormKind : std::uint8_t { none, layer_norm, rms_norm };

/// A norm over rows of H numbers. layer_norm: (x − mean) / sqrt(variance + eps) · weight + bias;
/// rms_norm: x / sqrt(mean(x²) + eps) · weight. A null weight is ones, a null bias zeros.
struct NormArgs {
  NormKind kind = NormKind::none;
  const float* weight = nullptr;  ///< [H]
  const float* bias = nullptr;    ///< [H], layer_norm only
  float eps = 1e-12F;
};

/// The dimension that a product sums over is cut into chunks of equal length (the last may be
/// shorter). Each chunk is summed on its own, in order (float32 in pieces of 64 terms, to bound the
/// rounding error), and the sums are added in order; int8 scales each chunk of a row by itself. It
/// depends on K alone, so a row's bits do not depend on the rows around it.
struct Chunks {
  std::size_t count;
  std::size_t length;
};

/// Numbers in one 4-byte unit.
constexpr std::size_t per_unit(Dtype dtype) {
  return dtype == Dtype::float32 ? 1 : dtype == Dtype::bfloat16 ? 2 : 4;
}

/// Units of so many numbers; the last one may be unfinished.
constexpr std::size_t units_of(std::size_t length, Dtype dtype) {
  return (length + per_unit(dtype) - 1) / per_unit(dtype);
}

constexpr std::size_t longest_chunk(Dtype dtype) { return dtype == Dtype::float32 ? 512 : 1024; }

constexpr Chunks chunks(std::size_t k, Dtype dtype) {
  const std::size_t longest = longest_chunk(dtype);
  const std::size_t count = (k + longest - 1) / longest;
  return {count, ((k + count - 1) / count + 31) / 32 * 32};  // whole panels of every ISA
}

}  // namespace fnet::kernels
