#pragma once

#include "blocks/context.h"

namespace fnet {

/// A Kolmogorov–Arnold layer from H to H: y_o = Σ_i b_oi silu(x_i) + Σ_g s_oig B_g(x_i), with B_g
/// the B-splines of `order` over `grid` intervals of [−range, range]. intermediate_size is not
/// used. Source: Liu et al. 2024, eq. 2.10; their scale of each edge's spline is part of s.
struct Kan : Part {
  std::int64_t grid = 5, order = 3;
  double range = 2;

  template <class Option>
  void options(Option&& option) {
    option("grid", grid, Allowed::range(1, 64), "intervals of the splines");
    option("order", order, Allowed::range(1, 5), "degree of the splines");
    option("range", range, Allowed::range(1e-3, 1e3), "the splines cover -range to range");
  }

  void weights(const Specs& specs, const Config& config) const {
    specs.linear("output.base", config.hidden_size, config.hidden_size, false);
    for (std::int64_t g = 0; g < grid + order; ++g) {
      specs.linear(spline(g), config.hidden_size, config.hidden_size, false);
    }
  }

  /// x [T, H] → [T, H].
  template <Algebra A>
  A apply(const A& x, const Context<A>& c) const {
    A y = linear(c.drop_inner(silu(x)), c, "output.base");
    const double step = 2 * range / static_cast<double>(grid);
    for (std::int64_t g = 0; g < grid + order; ++g) {
      const double centre =
          -range + step * (static_cast<double>(g) - 0.5 * static_cast<double>(order - 1));
      y = y + linear(b_spline((x + -centre) * (1 / step)), c, spline(g));
    }
    return y;
  }

  double operations(const Config& config) const {
    return static_cast<double>(1 + grid + order) *
           linear_operations(config.hidden_size, config.hidden_size);
  }

 private:
  static std::string spline(std::int64_t g) { return "output.spline." + std::to_string(g); }

  /// The B-spline of integer knots around 0: Σ_j (−1)^j C(n+1, j) relu((n+1)/2 − j − |u|)^n / n!.
  /// From the right end inwards, so that nothing cancels where it is 0.
  /// Source: Schoenberg 1946; symmetric, hence |u|.
  template <class A>
  A b_spline(const A& u) const {
    const A size = relu(u) + relu(u * -1.0);
    double factor = 1;
    for (std::int64_t i = 2; i <= order; ++i) factor /= static_cast<double>(i);
    const auto term = [&](std::int64_t j) {
      const A base =
          relu(size * -1.0 + (0.5 * static_cast<double>(order + 1) - static_cast<double>(j)));
      A y = base * factor;
      for (std::int64_t i = 1; i < order; ++i) y = y * base;
      return y;
    };
    A sum = term(0);
    for (std::int64_t j = 1; 2 * j < order + 1; ++j) {
      factor *= -static_cast<double>(order + 2 - j) / static_cast<double>(j);
      sum = sum + term(j);
    }
    return sum;
  }
};

}  // namespace fnet
