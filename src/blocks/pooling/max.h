#pragma once

#include "blocks/context.h"

namespace fnet {

/// The largest value of each column over a text's rows.
struct MaxPooling : Part {
  /// x [T, H] → [B, H]; padding is never read.
  template <Algebra A>
  A apply(const A& x, const Context<A>& c) const {
    return max_rows(x, c.rows);
  }
};

}  // namespace fnet
