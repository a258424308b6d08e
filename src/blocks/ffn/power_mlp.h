#pragma once

#include <cmath>

#include "blocks/context.h"

namespace fnet {

/// y = relu(W x + b)^k + W' silu(x): one layer from H to H, as smooth as its power.
/// intermediate_size is not used. Source: Qiu et al. 2024 (PowerMLP), eq. 9.
struct PowerMlp : Part {
  std::int64_t power = 3;

  template <class Option>
  void options(Option&& option) {
    option("power", power, Allowed::range(1, 8), "k, to which the rectified part is raised");
  }

  void weights(const Specs& specs, const Config& config) const {
    const Init he = Init::normal(std::sqrt(2.0 / static_cast<double>(config.hidden_size)));
    specs.linear("output.dense", config.hidden_size, config.hidden_size, true, he);
    specs.linear("output.basis", config.hidden_size, config.hidden_size, false, he);
  }

  /// x [T, H] → [T, H].
  template <Algebra A>
  A apply(const A& x, const Context<A>& c) const {
    const A base = relu(linear(x, c, "output.dense"));
    A y = base;
    for (std::int64_t i = 1; i < power; ++i) y = y * base;
    return y + linear(c.drop_inner(silu(x)), c, "output.basis");
  }

  double operations(const Config& config) const {
    return 2 * linear_operations(config.hidden_size, config.hidden_size);
  }
};

}  // namespace fnet
