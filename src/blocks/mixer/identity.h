#pragma once

#include "blocks/weights.h"
#include "core/rows.h"
#include "fnet/config.h"

namespace fnet {

/// Y = X: tokens do not mix, the baseline that shows what mixing is worth.
/// Source: FNet §4.1, "FF-only".
struct IdentityMixing {
  static void weights(const Specs&, const Config&) {}

  /// x [T, H] → [T, H].
  template <class A>
  static A apply(const A& x, const Rows&, const Weights<A>&, const Config&) {
    return x;
  }
};

}  // namespace fnet
