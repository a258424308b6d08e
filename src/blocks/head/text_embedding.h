#pragma once

#include "blocks/head/head.h"

namespace fnet {

/// vectors [B, H]: the pooled ones as they are, to be compared with each other. No weights.
struct TextEmbedding : PooledHead {
  void weights(const Specs&, const Config&, const HeadConfig&) const {}

  template <Algebra A>
  A apply(const A& x, const HeadContext<A>& c) const {
    return c.pool(x);
  }
};

}  // namespace fnet
