#pragma once

#include "blocks/context.h"

namespace fnet {

/// y = W2 relu(W1 x + b1) + b2 + (Wr x + br): a linear map around the mlp.
/// Source: Das et al. 2023 (TiDE), eq. 1.
struct Residual : Part {
  void weights(const Specs& specs, const Config& config) const {
    specs.linear("intermediate.dense", config.hidden_size, config.intermediate_size);
    specs.linear("output.dense", config.intermediate_size, config.hidden_size);
    specs.linear("residual.dense", config.hidden_size, config.hidden_size);
  }

  /// x [T, H] → [T, H], [T, F] inside.
  template <Algebra A>
  A apply(const A& x, const Context<A>& c) const {
    const A inner = relu(linear(x, c, "intermediate.dense"));
    return linear(c.drop_inner(inner), c, "output.dense") + linear(x, c, "residual.dense");
  }

  double operations(const Config& config) const {
    return 2 * linear_operations(config.hidden_size, config.intermediate_size) +
           linear_operations(config.hidden_size, config.hidden_size);
  }
};

}  // namespace fnet
