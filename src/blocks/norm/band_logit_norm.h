#pragma once

#include "blocks/normalize.h"

namespace fnet {

/// y = x / ‖x‖ · f with f in [1 − width, 1], a learned function of the length:
/// f = 1 − width + width · σ(weight · log ‖x‖ + bias). Source: the seed library, whose layer norm
/// of the one number ‖x‖ always gives 0, so that its factor never depends on the row.
struct BandLogitNorm : Part {
  double max_band_width = 0.01;

  template <class Option>
  void options(Option&& option) {
    option("max_band_width", max_band_width, Allowed::range(0, 1),
           "how far below 1 the factor goes");
  }

  void weights(const Specs& specs, const Config&) const {
    specs.add("weight", {1}, Init::ones());
    specs.add("bias", {1}, Init::zeros());
  }

  /// x [T, H] → [T, H].
  template <Algebra A>
  A apply(const A& x, const Context<A>& c) const {
    const A square = square_sum(x, c) + c.eps();
    return x * (rsqrt(square) * band(affine(log(square) * 0.5, c), max_band_width));
  }
};

}  // namespace fnet
