#pragma once

#include "blocks/context.h"

namespace fnet {

/// The first row of each text, [CLS].
struct ClsPooling : Part {
  /// x [T, H] → [B, H]; padding is never read.
  template <Algebra A>
  A apply(const A& x, const Context<A>& c) const {
    return first_rows(x, c.rows);
  }
};

}  // namespace fnet
