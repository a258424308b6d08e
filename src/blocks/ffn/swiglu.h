#pragma once

#include "blocks/weights.h"
#include "fnet/config.h"

namespace fnet {

/// y = W2 (silu(Wg x) ⊙ W1 x), without biases. Source: Shazeer 2020, eq. 6.
struct SwiGlu {
  static void weights(Specs specs, const Config& config) {
    specs.linear("intermediate.gate", config.hidden_size, config.intermediate_size, false);
    specs.linear("intermediate.dense", config.hidden_size, config.intermediate_size, false);
    specs.linear("output.dense", config.intermediate_size, config.hidden_size, false);
  }

  /// x [T, H] → [T, H], [T, F] inside.
  template <class A>
  static A apply(const A& x, const Weights<A>& w, const Config&) {
    const A inner =
        silu(dense(x, w["intermediate.gate.weight"])) * dense(x, w["intermediate.dense.weight"]);
    return dense(inner, w["output.dense.weight"]);
  }
};

}  // namespace fnet
