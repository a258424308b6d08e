#pragma once

#include "blocks/normalize.h"

namespace fnet {

/// y = x / rms(x) · f with a factor in [1 − width, 1] for each column of a text, which follows from
/// how large the text's own rows are: f = 1 − width + width · σ(5 (log(mean of rms) · weight +
/// bias)). Source: the seed library, whose mean counts padding too.
struct AdaptiveBandRms : Part {
  double max_band_width = 0.1;

  template <class Option>
  void options(Option&& option) {
    option("max_band_width", max_band_width, Allowed::range(0, 1),
           "how far below 1 the factors go");
  }

  void weights(const Specs& specs, const Config& config) const {
    specs.add("band.weight", {config.hidden_size}, Init::zeros());
    specs.add("band.bias", {config.hidden_size}, Init::zeros());
  }

  /// x [T, H] → [T, H].
  template <Algebra A>
  A apply(const A& x, const Context<A>& c) const {
    const A square = mean_last(x * x) + c.eps();
    const A scale = rsqrt(square);
    const A statistic = log(mean_rows(square * scale, c.rows));  // [B, 1]
    const A factor = band(affine(statistic, c.under("band")) * 5.0, max_band_width);
    return x * scale * repeat_rows(factor, c.rows);
  }
};

}  // namespace fnet
