#pragma once

#include "blocks/context.h"

namespace fnet {

/// y = W2 act(W1 x + b1) + b2. Source: FNet §3.2; the names are Hugging Face's.
struct Mlp : Part {
  void weights(const Specs& specs, const Config& config) const {
    specs.linear("intermediate.dense", config.hidden_size, config.intermediate_size);
    specs.linear("output.dense", config.intermediate_size, config.hidden_size);
  }

  /// x [T, H] → [T, H], [T, F] inside.
  template <Algebra A>
  A apply(const A& x, const Context<A>& c) const {
    const A inner = c.activate(linear(x, c, "intermediate.dense"));
    return linear(c.drop_inner(inner), c, "output.dense");
  }

  double operations(const Config& config) const {
    return 2 * linear_operations(config.hidden_size, config.intermediate_size);
  }
};

}  // namespace fnet
