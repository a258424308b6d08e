#pragma once

#include "blocks/context.h"

namespace fnet {

/// Y = X: tokens do not mix, the baseline that shows what mixing is worth.
/// Source: FNet §4.1, "FF-only".
struct IdentityMixing : Part {
  /// x [T, H] → [T, H].
  template <Algebra A>
  A apply(const A& x, const Context<A>&) const {
    return x;
  }
};

}  // namespace fnet
