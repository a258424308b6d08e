#include "model/init.h"

#include <gtest/gtest.h>

#include <cmath>

namespace fnet {
namespace {

TEST(InitialValues, depend_on_seed_and_name_alone) {
  const WeightSpec spec{"encoder.layer.0.output.dense.weight", {64, 64}, Init::normal};
  const WeightSpec inside_head{"fnet.encoder.layer.0.output.dense.weight", {64, 64}, Init::normal};
  const WeightSpec other{"encoder.layer.1.output.dense.weight", {64, 64}, Init::normal};
  EXPECT_EQ(initial_values(spec, 0.02, 1), initial_values(inside_head, 0.02, 1));
  EXPECT_NE(initial_values(spec, 0.02, 1), initial_values(other, 0.02, 1));
  EXPECT_NE(initial_values(spec, 0.02, 1), initial_values(spec, 0.02, 2));
}

TEST(InitialValues, are_normal_with_the_given_deviation) {
  const auto values = initial_values({"w", {400, 250}, Init::normal}, 0.02, 7);
  double mean = 0, square = 0, fourth = 0;
  for (const float v : values) mean += v, square += double{v} * v, fourth += std::pow(v, 4);
  const auto n = static_cast<double>(values.size());
  EXPECT_NEAR(mean / n, 0, 4 * 0.02 / std::sqrt(n));  // four standard errors
  EXPECT_NEAR(std::sqrt(square / n), 0.02, 0.0002);
  EXPECT_NEAR(fourth / n / std::pow(square / n, 2), 3.0, 0.06);  // the kurtosis of a normal
}

TEST(InitialValues, of_norms_and_biases_are_ones_and_zeros) {
  EXPECT_EQ(initial_values({"a", {3}, Init::ones}, 0.02, 1), std::vector<float>({1, 1, 1}));
  EXPECT_EQ(initial_values({"b", {2}, Init::zeros}, 0.02, 1), std::vector<float>({0, 0}));
}

}  // namespace
}  // namespace fnet
