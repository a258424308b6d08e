#pragma once

#include "blocks/norm/adaptive_band_rms.h"

namespace fnet {

/// adaptive_band_rms of x − mean.
struct ZeroCenteredAdaptiveBandRms : AdaptiveBandRms {
  /// x [T, H] → [T, H].
  template <Algebra A>
  A apply(const A& x, const Context<A>& c) const {
    return AdaptiveBandRms::apply(x - mean_last(x), c);
  }
};

}  // namespace fnet
