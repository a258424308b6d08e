#pragma once

#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <numbers>
#include <vector>

#include "core/random.h"
#include "kernels/types.h"

/// Naive float64 formulas that the kernels are held against.
namespace fnet::reference {

inline std::vector<float> normals(std::size_t n, std::uint64_t seed, float scale = 1.0F) {
  Philox random(seed, 0);
  std::vector<float> values(n);
  for (float& v : values) v = scale * random.normal();
  return values;
}

inline double activate(kernels::Activation activation, double x) {
  using kernels::Activation;
  switch (activation) {
    case Activation::none:
      return x;
    case Activation::gelu:
      return 0.5 * x * std::erfc(-x / std::numbers::sqrt2);
    case Activation::gelu_tanh: {
      const double u = std::sqrt(2 / std::numbers::pi) * (x + 0.044715 * x * x * x);
      return x / (1 + std::exp(-2 * u));
    }
    case Activation::relu:
      return x > 0 ? x : 0;
    case Activation::sigmoid:
      return 1 / (1 + std::exp(-x));
    case Activation::silu:
      return x / (1 + std::exp(-x));
    case Activation::squared_relu:
      return x > 0 ? x * x : 0;
    case Activation::tanh:
      break;
  }
  return std::tanh(x);
}

/// To nearest, ties to even.
inline float rounded_to_bf16(float v) {
  auto bits = std::bit_cast<std::uint32_t>(v);
  bits += 0x7fff + (bits >> 16 & 1);
  return std::bit_cast<float>(bits & 0xffff0000);
}

/// act′(x)
inline double slope(kernels::Activation activation, double x) {
  if (activation == kernels::Activation::relu) return x > 0 ? 1 : 0;
  const double step = 1e-5;
  return (activate(activation, x + step) - activate(activation, x - step)) / (2 * step);
}

/// x [rows, k] · Wᵀ + bias, W [n, k].
template <class X>
std::vector<double> linear(const std::vector<X>& x, std::size_t rows, const std::vector<float>& w,
                           std::size_t n, const std::vector<float>& bias = {}) {
  const std::size_t k = w.size() / n;
  std::vector<double> y(rows * n);
  for (std::size_t r = 0; r < rows; ++r) {
    for (std::size_t j = 0; j < n; ++j) {
      double sum = 0;
      for (std::size_t i = 0; i < k; ++i) sum += static_cast<double>(x[r * k + i]) * w[j * k + i];
      y[r * n + j] = sum + (bias.empty() ? 0.0 : bias[j]);
    }
  }
  return y;
}

inline void normalize(std::vector<double>& x, std::size_t n, const kernels::NormArgs& norm) {
  if (norm.kind == kernels::NormKind::none) return;
  const bool centred = norm.kind == kernels::NormKind::layer_norm;
  for (std::size_t at = 0; at < x.size(); at += n) {
    double mean = 0, variance = 0;
    for (std::size_t i = 0; centred && i < n; ++i) mean += x[at + i] / static_cast<double>(n);
    for (std::size_t i = 0; i < n; ++i) variance += (x[at + i] - mean) * (x[at + i] - mean);
    const double scale = 1 / std::sqrt(variance / static_cast<double>(n) + norm.eps);
    for (std::size_t i = 0; i < n; ++i) {
      x[at + i] = (x[at + i] - mean) * scale * (norm.weight != nullptr ? norm.weight[i] : 1.0F) +
                  (norm.bias != nullptr ? norm.bias[i] : 0.0F);
    }
  }
}

/// Largest difference over the largest magnitude of `want`.
template <class A, class B>
double relative_error(const A& got, const B& want) {
  double worst = 0, most = 1e-30;
  for (std::size_t i = 0; i < want.size(); ++i) {
    const double difference = std::abs(static_cast<double>(got[i]) - static_cast<double>(want[i]));
    if (!(difference <= worst)) worst = difference;  // a NaN counts as the worst
    most = std::max(most, std::abs(static_cast<double>(want[i])));
  }
  return worst / most;
}

}  // namespace fnet::reference
