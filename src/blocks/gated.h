#pragma once

#include "blocks/context.h"

namespace fnet {

/// y = W2 (act(Wg x + bg) ⊙ (W1 x + b1)) + b2. The kinds differ in the gate's activation and in
/// whether they have biases at first. Source: Shazeer 2020.
template <Activation act>
struct Gated : Part {
  bool bias = true;

  template <class Option>
  void options(Option&& option) {
    option("bias", bias, Allowed::any(), "biases in the three linear maps");
  }

  void add_maps(const Specs& specs, const Config& config, std::int64_t inner) const {
    specs.linear("intermediate.gate", config.hidden_size, inner, bias);
    specs.linear("intermediate.dense", config.hidden_size, inner, bias);
    specs.linear("output.dense", inner, config.hidden_size, bias);
  }
  void weights(const Specs& specs, const Config& config) const {
    add_maps(specs, config, config.intermediate_size);
  }

  /// x [T, H] → [T, H], [T, F] inside.
  template <Algebra A>
  A apply(const A& x, const Context<A>& c) const {
    const A inner = apply_activation(act, linear(x, c, "intermediate.gate")) *
                    linear(x, c, "intermediate.dense");
    return linear(c.drop_inner(inner), c, "output.dense");
  }

  double operations(const Config& config) const {
    return 3 * linear_operations(config.hidden_size, config.intermediate_size);
  }
};

}  // namespace fnet
