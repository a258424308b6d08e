#pragma once

#include "blocks/normalize.h"

namespace fnet {

/// y = x / rms(x) · f with one learned factor f in [1 − width, 1]: f = 1 − width + width · σ(5 p).
/// Source: the seed library.
struct BandRms : Part {
  double max_band_width = 0.1;

  template <class Option>
  void options(Option&& option) {
    option("max_band_width", max_band_width, Allowed::range(0, 1),
           "how far below 1 the factor goes");
  }

  void weights(const Specs& specs, const Config&) const { specs.add("band", {1}, Init::zeros()); }

  /// x [T, H] → [T, H].
  template <Algebra A>
  A apply(const A& x, const Context<A>& c) const {
    return rms_normalize(x, c.eps()) * band(c.w["band"] * 5.0, max_band_width);
  }
};

}  // namespace fnet
