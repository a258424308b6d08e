#pragma once

#include "blocks/context.h"

namespace fnet {

/// The last row of each text, [SEP].
struct LastPooling : Part {
  /// x [T, H] → [B, H]; padding is never read.
  template <Algebra A>
  A apply(const A& x, const Context<A>& c) const {
    return last_rows(x, c.rows);
  }
};

}  // namespace fnet
