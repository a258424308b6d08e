#pragma once

#include "blocks/normalize.h"

namespace fnet {

/// y = x / sqrt(Σ x² + eps): rows of length 1. Source: Zhang & Xiang 2023.
struct MaxLogitNorm : Part {
  /// x [T, H] → [T, H].
  template <Algebra A>
  A apply(const A& x, const Context<A>& c) const {
    return x * rsqrt(square_sum(x, c) + c.eps());
  }
};

}  // namespace fnet
