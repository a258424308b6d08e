#pragma once

#include "blocks/activation.h"
#include "blocks/weights.h"
#include "fnet/config.h"

namespace fnet {

/// y = W2 act(W1 x + b1) + b2. Source: FNet §3.2; the names are Hugging Face's.
struct Mlp {
  static void weights(Specs specs, const Config& config) {
    specs.linear("intermediate.dense", config.hidden_size, config.intermediate_size);
    specs.linear("output.dense", config.intermediate_size, config.hidden_size);
  }

  /// x [T, H] → [T, H], [T, F] inside.
  template <class A>
  static A apply(const A& x, const Weights<A>& w, const Config& config) {
    const A inner = activation(
        config.hidden_act, dense(x, w["intermediate.dense.weight"], w["intermediate.dense.bias"]));
    return dense(inner, w["output.dense.weight"], w["output.dense.bias"]);
  }
};

}  // namespace fnet
