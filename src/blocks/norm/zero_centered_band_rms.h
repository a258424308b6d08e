#pragma once

#include "blocks/norm/band_rms.h"

namespace fnet {

/// band_rms of x − mean.
struct ZeroCenteredBandRms : BandRms {
  /// x [T, H] → [T, H].
  template <Algebra A>
  A apply(const A& x, const Context<A>& c) const {
    return BandRms::apply(x - mean_last(x), c);
  }
};

}  // namespace fnet
