#include "model/init.h"

#include <cmath>

#include "core/error.h"
#include "core/hash.h"
#include "core/random.h"

namespace fnet {
namespace {

std::size_t size_of(const std::vector<std::int64_t>& shape) {
  std::size_t size = 1;
  for (const std::int64_t d : shape) size *= static_cast<std::size_t>(d);
  return size;
}

/// in + out of a weight [out, in, …], as Glorot counts them.
double fans(const std::vector<std::int64_t>& shape) {
  const auto out = static_cast<double>(shape.front());
  return shape.size() < 2 ? 2 * out : out + static_cast<double>(size_of(shape)) / out;
}

/// A matrix [rows, cols] with orthonormal rows, or columns where there are fewer of them: normal
/// numbers, made orthogonal one after the other (twice, which is enough in float64).
std::vector<float> orthogonal(std::size_t rows, std::size_t cols, double gain, Philox& random) {
  const bool flat = rows <= cols;
  const std::size_t count = flat ? rows : cols, width = flat ? cols : rows;
  std::vector<double> q(count * width);
  for (double& v : q) v = static_cast<double>(random.normal());
  const auto dot = [&](std::size_t a, std::size_t b) {
    double sum = 0;
    for (std::size_t i = 0; i < width; ++i) sum += q[a * width + i] * q[b * width + i];
    return sum;
  };
  for (std::size_t v = 0; v < count; ++v) {
    for (int pass = 0; pass < 2; ++pass) {
      for (std::size_t u = 0; u < v; ++u) {
        const double share = dot(u, v);
        for (std::size_t i = 0; i < width; ++i) q[v * width + i] -= share * q[u * width + i];
      }
    }
    const double length = std::sqrt(dot(v, v));
    for (std::size_t i = 0; i < width; ++i) q[v * width + i] /= length;
  }
  std::vector<float> values(rows * cols);
  for (std::size_t r = 0; r < rows; ++r) {
    for (std::size_t c = 0; c < cols; ++c) {
      values[r * cols + c] =
          static_cast<float>(gain * (flat ? q[r * width + c] : q[c * width + r]));
    }
  }
  return values;
}

/// Row p: sin(p·w₀), cos(p·w₀), sin(p·w₁), … with w_i = 10000^(−2i/cols).
std::vector<float> sinusoids(std::size_t rows, std::size_t cols) {
  std::vector<float> values(rows * cols);
  for (std::size_t c = 0; c < cols; ++c) {
    const double power = -static_cast<double>(c / 2 * 2) / static_cast<double>(cols);
    const double frequency = std::pow(10000.0, power);
    for (std::size_t p = 0; p < rows; ++p) {
      const double angle = static_cast<double>(p) * frequency;
      values[p * cols + c] = static_cast<float>(c % 2 == 0 ? std::sin(angle) : std::cos(angle));
    }
  }
  return values;
}

}  // namespace

std::vector<float> initial_values(const WeightSpec& spec, double range, std::uint64_t seed) {
  // The place in the model, not whether a head wraps it, decides.
  Philox random(seed, fnv1a(name_in_encoder(spec.name)));
  const Init& init = spec.init;
  std::vector<float> values(size_of(spec.shape));
  const auto fill = [&](auto&& draw) {
    for (float& v : values) v = static_cast<float>(draw());
  };
  const double deviation = init.value > 0 ? init.value : range;
  switch (init.kind) {
    case Init::Kind::constant:
      fill([&] { return init.value; });
      break;
    case Init::Kind::uniform:
      fill([&] { return init.low + (init.value - init.low) * random.uniform(); });
      break;
    case Init::Kind::normal:
      fill([&] { return static_cast<float>(deviation) * random.normal(); });
      break;
    case Init::Kind::truncated_normal:
      fill([&] {
        float v = random.normal();
        while (std::fabs(v) > 2.0F) v = random.normal();
        return deviation * v;
      });
      break;
    case Init::Kind::glorot_uniform: {
      const double limit = init.value * std::sqrt(6.0 / fans(spec.shape));
      fill([&] { return limit * (2.0 * random.uniform() - 1.0); });
      break;
    }
    case Init::Kind::glorot_normal: {
      const double scale = init.value * std::sqrt(2.0 / fans(spec.shape));
      fill([&] { return scale * random.normal(); });
      break;
    }
    case Init::Kind::sinusoids:
      return sinusoids(static_cast<std::size_t>(spec.shape.at(0)),
                       static_cast<std::size_t>(spec.shape.at(1)));
    case Init::Kind::orthogonal: {
      require(spec.shape.size() == 2, fnet::Kind::internal,
              "weight '{}': expected two axes for an orthogonal start, found {}", spec.name,
              spec.shape.size());
      values = orthogonal(static_cast<std::size_t>(spec.shape[0]),
                          static_cast<std::size_t>(spec.shape[1]), init.value, random);
      break;
    }
  }
  return values;
}

}  // namespace fnet
