#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <span>

namespace fnet {

/// Σ a · b of two vectors of one size, in double.
inline double dot(std::span<const float> a, std::span<const float> b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += static_cast<double>(a[i]) * b[i];
  return sum;
}

/// The cosine of two vectors of one size; 0 where one of them is 0.
inline double cosine(std::span<const float> a, std::span<const float> b) {
  const double lengths = std::sqrt(dot(a, a)) * std::sqrt(dot(b, b));
  return lengths > 0 ? std::clamp(dot(a, b) / lengths, -1.0, 1.0) : 0.0;
}

/// Divides a vector by its Euclidean length; 0 stays.
inline void normalize(std::span<float> vector) {
  const double squares = dot(vector, vector);
  const auto scale = static_cast<float>(squares > 0 ? 1.0 / std::sqrt(squares) : 0.0);
  for (float& x : vector) x *= scale;
}

/// Makes of the vectors that lie behind one another in `vectors` their mean, in `mean`. One alone
/// keeps its bits.
inline void mean_into(std::span<float> mean, std::span<const float> vectors) {
  const std::size_t count = vectors.size() / mean.size();
  for (std::size_t i = 0; i < mean.size(); ++i) {
    double sum = 0;
    for (std::size_t k = 0; k < count; ++k) sum += vectors[k * mean.size() + i];
    mean[i] = static_cast<float>(sum / static_cast<double>(count));
  }
}

}  // namespace fnet
