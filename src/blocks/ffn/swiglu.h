#pragma once

#include "blocks/context.h"

namespace fnet {

/// y = W2 (silu(Wg x + bg) ⊙ (W1 x + b1)) + b2. Source: Shazeer 2020, eq. 6, which has no biases.
struct SwiGlu : Part {
  bool bias = false;

  template <class Option>
  void options(Option&& option) {
    option("bias", bias, Allowed::any(), "biases in the three linear maps");
  }

  void weights(const Specs& specs, const Config& config) const {
    specs.linear("intermediate.gate", config.hidden_size, config.intermediate_size, bias);
    specs.linear("intermediate.dense", config.hidden_size, config.intermediate_size, bias);
    specs.linear("output.dense", config.intermediate_size, config.hidden_size, bias);
  }

  /// x [T, H] → [T, H], [T, F] inside.
  template <Algebra A>
  A apply(const A& x, const Context<A>& c) const {
    const A inner = silu(linear(x, c, "intermediate.gate")) * linear(x, c, "intermediate.dense");
    return linear(inner, c, "output.dense");
  }

  double operations(const Config& config) const {
    return 3 * linear_operations(config.hidden_size, config.intermediate_size);
  }
};

}  // namespace fnet
