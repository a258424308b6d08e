// Norms whose start or statistics the seed library has otherwise than it says.
#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "blocks/parts.h"
#include "model/init.h"
#include "reference.h"
#include "runtime/tensor.h"

namespace fnet {
namespace {

constexpr std::int64_t kWidth = 24;

/// A norm as it starts, over one text of these rows.
template <class Norm>
Tensor apply_new(const Norm& norm, const Tensor& x) {
  Config config;
  config.hidden_size = kWidth;
  Specs specs;
  norm.weights(specs, config);
  Weights<Tensor>::Map map;
  for (const WeightSpec& spec : specs.list())
    map[spec.name] = Tensor(1, spec.shape.at(0), initial_values(spec, 0.02, 1));
  Rows rows;
  rows.add(x.rows());
  const Context<Tensor> c{.w = Weights<Tensor>(map), .config = config, .rows = rows};
  return apply(norm, x, c);
}

TEST(GlobalResponseNorm, starts_as_its_input) {
  const auto values = reference::normals(5 * kWidth, 1);
  const Tensor y = apply_new(GlobalResponseNorm(), Tensor(5, kWidth, values));
  EXPECT_EQ(std::vector<float>(y.values().begin(), y.values().end()), values);
}

TEST(BandLogitNorm, has_a_factor_that_follows_the_length_of_the_row) {
  auto values = reference::normals(3 * kWidth, 2);
  const float scales[] = {0.01F, 1.0F, 100.0F};
  for (std::size_t i = 0; i < values.size(); ++i) values[i] *= scales[i / kWidth];
  const Tensor x(3, kWidth, values);
  BandLogitNorm norm;
  norm.max_band_width = 0.5;
  const Tensor y = apply_new(norm, x);
  const auto length = [](std::span<const float> row) {
    double square = 0;
    for (const float v : row) square += double{v} * v;
    return std::sqrt(square);
  };
  for (std::int64_t i = 0; i < 3; ++i) {
    const double wanted = 0.5 + 0.5 / (1 + std::exp(-std::log(length(x.row(i)))));
    EXPECT_NEAR(length(y.row(i)), wanted, 1e-5) << i;
  }
  EXPECT_LT(length(y.row(0)) + 0.2, length(y.row(2)));
}

}  // namespace
}  // namespace fnet
