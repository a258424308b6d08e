#pragma once

#include "blocks/context.h"

namespace fnet {

/// The mean of a text's rows.
struct MeanPooling : Part {
  /// x [T, H] → [B, H]; padding is never read.
  template <Algebra A>
  A apply(const A& x, const Context<A>& c) const {
    return mean_rows(x, c.rows);
  }
};

}  // namespace fnet
