#pragma once

#include "blocks/context.h"

namespace fnet {

/// tanh(W x[0] + b). Source: Devlin et al. 2019; Hugging Face's `pooler`.
struct PoolerPooling : Part {
  void weights(const Specs& specs, const Config& config) const {
    specs.linear("pooler.dense", config.hidden_size, config.hidden_size);
  }

  /// x [T, H] → [B, H]; padding is never read.
  template <Algebra A>
  A apply(const A& x, const Context<A>& c) const {
    return tanh(linear(first_rows(x, c.rows), c, "pooler.dense"));
  }
};

}  // namespace fnet
