#pragma once

#include "blocks/context.h"

namespace fnet {

/// Soft logic of a, b = σ(Wa x), σ(Wb x): y = Wo (g₀ ab + g₁ (a + b − ab) + g₂ (a − b)²) + bo,
/// where g = softmax(Wg x / temperature) weighs AND, OR and XOR. Source: the seed library.
struct Logic : Part {
  double temperature = 1;

  template <class Option>
  void options(Option&& option) {
    option("temperature", temperature, Allowed::range(1e-3, 1e3), "of the softmax of the gate");
  }

  void weights(const Specs& specs, const Config& config) const {
    specs.linear("intermediate.left", config.hidden_size, config.intermediate_size);
    specs.linear("intermediate.right", config.hidden_size, config.intermediate_size);
    specs.linear("intermediate.gate", config.hidden_size, 3);
    specs.linear("output.dense", config.intermediate_size, config.hidden_size);
  }

  /// x [T, H] → [T, H], [T, F] inside.
  template <Algebra A>
  A apply(const A& x, const Context<A>& c) const {
    const A a = sigmoid(linear(x, c, "intermediate.left"));
    const A b = sigmoid(linear(x, c, "intermediate.right"));
    const A gate = softmax_last(linear(x, c, "intermediate.gate") * (1 / temperature));
    const A both = a * b, difference = a - b;
    const A result = both * columns(gate, 0, 1) + (a + b - both) * columns(gate, 1, 1) +
                     difference * difference * columns(gate, 2, 1);
    return linear(c.drop_inner(result), c, "output.dense");
  }

  double operations(const Config& config) const {
    return 3 * linear_operations(config.hidden_size, config.intermediate_size + 1);
  }
};

}  // namespace fnet
