#include "model/init.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <utility>

namespace fnet {
namespace {

TEST(InitialValues, depend_on_seed_and_name_alone) {
  const WeightSpec spec{"encoder.layer.0.output.dense.weight", {64, 64}, Init::normal()};
  const WeightSpec inside_head{
      "fnet.encoder.layer.0.output.dense.weight", {64, 64}, Init::normal()};
  const WeightSpec other{"encoder.layer.1.output.dense.weight", {64, 64}, Init::normal()};
  EXPECT_EQ(initial_values(spec, 0.02, 1), initial_values(inside_head, 0.02, 1));
  EXPECT_NE(initial_values(spec, 0.02, 1), initial_values(other, 0.02, 1));
  EXPECT_NE(initial_values(spec, 0.02, 1), initial_values(spec, 0.02, 2));
}

TEST(InitialValues, are_normal_with_the_given_deviation) {
  const auto values = initial_values({"w", {400, 250}, Init::normal()}, 0.02, 7);
  double mean = 0, square = 0, fourth = 0;
  for (const float v : values) mean += v, square += double{v} * v, fourth += std::pow(v, 4);
  const auto n = static_cast<double>(values.size());
  EXPECT_NEAR(mean / n, 0, 4 * 0.02 / std::sqrt(n));  // four standard errors
  EXPECT_NEAR(std::sqrt(square / n), 0.02, 0.0002);
  EXPECT_NEAR(fourth / n / std::pow(square / n, 2), 3.0, 0.06);  // the kurtosis of a normal
}

TEST(InitialValues, of_norms_and_biases_are_ones_and_zeros) {
  EXPECT_EQ(initial_values({"a", {3}, Init::ones()}, 0.02, 1), std::vector<float>({1, 1, 1}));
  EXPECT_EQ(initial_values({"b", {2}, Init::zeros()}, 0.02, 1), std::vector<float>({0, 0}));
  EXPECT_EQ(initial_values({"c", {2}, Init::constant(-2.5)}, 0.02, 1),
            std::vector<float>({-2.5F, -2.5F}));
}

/// Mean, standard deviation, least and largest.
struct Moments {
  double mean = 0, deviation = 0;
  float least = 0, most = 0;
  explicit Moments(const std::vector<float>& values) {
    for (const float v : values) mean += v / static_cast<double>(values.size());
    for (const float v : values) deviation += (v - mean) * (v - mean);
    deviation = std::sqrt(deviation / static_cast<double>(values.size()));
    least = std::ranges::min(values), most = std::ranges::max(values);
  }
};

TEST(InitialValues, of_every_distribution_have_its_moments) {
  const std::vector<std::int64_t> shape = {300, 200};
  const auto moments = [&](Init init) {
    return Moments(initial_values({"w", shape, init}, 0.02, 3));
  };
  const Moments uniform = moments(Init::uniform(-1, 3));
  EXPECT_NEAR(uniform.mean, 1, 0.02);
  EXPECT_NEAR(uniform.deviation, 4 / std::sqrt(12.0), 0.02);
  EXPECT_GE(uniform.least, -1.0F);
  EXPECT_LT(uniform.most, 3.0F);
  EXPECT_NEAR(moments(Init::normal(0.5)).deviation, 0.5, 0.01);
  const Moments truncated = moments(Init::truncated_normal(0.5));
  EXPECT_NEAR(truncated.deviation, 0.5 * 0.8796, 0.01);  // of a normal cut at two deviations
  EXPECT_LE(truncated.most, 1.0F);
  EXPECT_GT(truncated.most, 0.98F);
  const Moments glorot = moments(Init::glorot_uniform());
  EXPECT_NEAR(glorot.most, std::sqrt(6.0 / 500), 1e-3);
  EXPECT_NEAR(glorot.deviation, std::sqrt(2.0 / 500), 1e-3);
  EXPECT_NEAR(moments(Init::glorot_normal(2)).deviation, 2 * std::sqrt(2.0 / 500), 2e-3);
}

TEST(InitialValues, of_an_orthogonal_start_have_orthonormal_rows_or_columns) {
  for (const auto& shape : {std::pair{5, 9}, std::pair{9, 5}, std::pair{6, 6}}) {
    const int rows = shape.first, cols = shape.second;
    const auto w = initial_values({"w", {rows, cols}, Init::orthogonal(2)}, 0.02, 1);
    const int count = std::min(rows, cols), width = std::max(rows, cols);
    const auto at = [&](int vector, int i) {
      return static_cast<double>(
          w[static_cast<std::size_t>(rows <= cols ? vector * cols + i : i * cols + vector)]);
    };
    for (int u = 0; u < count; ++u) {
      for (int v = 0; v < count; ++v) {
        double dot = 0;
        for (int i = 0; i < width; ++i) dot += at(u, i) * at(v, i);
        EXPECT_NEAR(dot, u == v ? 4.0 : 0.0, 1e-6);
      }
    }
  }
}

TEST(InitialValues, of_sinusoids_are_sines_and_cosines_in_turns) {
  const WeightSpec spec{"p", {600, 7}, Init::sinusoids()};
  const auto values = initial_values(spec, 0.02, 1);
  for (std::size_t c = 0; c < 7; ++c) EXPECT_EQ(values[c], c % 2 == 0 ? 0.0F : 1.0F);
  for (const std::size_t p : {1, 37, 599}) {
    for (std::size_t c = 0; c < 7; ++c) {
      const double angle = static_cast<double>(p) *
                           std::exp(-std::log(1e4) * 2.0 * static_cast<double>(c / 2) / 7.0);
      EXPECT_NEAR(values[p * 7 + c], c % 2 == 0 ? std::sin(angle) : std::cos(angle), 1e-6);
    }
  }
}

}  // namespace
}  // namespace fnet
