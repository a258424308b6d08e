#pragma once

#include "blocks/normalize.h"

namespace fnet {

/// y = tanh(alpha · x) ⊙ weight + bias: no statistics. Source: Zhu et al. 2025, eq. 1.
struct DynamicTanh : Part {
  double alpha = 0.5;

  template <class Option>
  void options(Option&& option) {
    option("alpha", alpha, Allowed::range(1e-3, 1e3), "where the learned factor begins");
  }

  void weights(const Specs& specs, const Config& config) const {
    specs.add("alpha", {1}, Init::constant(alpha));
    specs.add("weight", {config.hidden_size}, Init::ones());
    specs.add("bias", {config.hidden_size}, Init::zeros());
  }

  /// x [T, H] → [T, H].
  template <Algebra A>
  A apply(const A& x, const Context<A>& c) const {
    return affine(tanh(x * c.w["alpha"]), c);
  }
};

}  // namespace fnet
