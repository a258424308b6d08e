#pragma once

#include "blocks/context.h"

namespace fnet {

/// y = x: no norm.
struct NoNorm : Part {
  /// x [T, H] → [T, H].
  template <Algebra A>
  A apply(const A& x, const Context<A>&) const {
    return x;
  }
};

}  // namespace fnet
