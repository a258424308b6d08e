#pragma once

#include <algorithm>

#include "blocks/context.h"

namespace fnet {

/// The mlp with each matrix as a product of two: y = V2 U2 act(V1 U1 x + b1) + b2.
/// Source: Sainath et al. 2013.
struct LowRank : Part {
  std::int64_t rank = 0;

  template <class Option>
  void options(Option&& option) {
    option("rank", rank, Allowed::range(0, 65'536),
           "rows between the two factors; 0: a quarter of intermediate_size");
  }

  std::int64_t inner_rank(const Config& config) const {
    return rank > 0 ? rank : std::max<std::int64_t>(1, config.intermediate_size / 4);
  }

  void weights(const Specs& specs, const Config& config) const {
    const std::int64_t r = inner_rank(config);
    specs.linear("intermediate.reduce", config.hidden_size, r, false);
    specs.linear("intermediate.dense", r, config.intermediate_size);
    specs.linear("output.reduce", config.intermediate_size, r, false);
    specs.linear("output.dense", r, config.hidden_size);
  }

  /// x [T, H] → [T, H], [T, F] inside.
  template <Algebra A>
  A apply(const A& x, const Context<A>& c) const {
    const A inner =
        c.activate(linear(linear(x, c, "intermediate.reduce"), c, "intermediate.dense"));
    return linear(linear(c.drop_inner(inner), c, "output.reduce"), c, "output.dense");
  }

  double operations(const Config& config) const {
    const std::int64_t r = inner_rank(config);
    return 2 * (linear_operations(config.hidden_size, r) +
                linear_operations(config.intermediate_size, r));
  }
};

}  // namespace fnet
