#pragma once

#include "blocks/normalize.h"

namespace fnet {

/// y = x / sqrt(mean(x²) + eps) · weight over the last axis.
/// Source: Zhang & Sennrich 2019, eq. 4.
struct RmsNorm : Part {
  bool scale = true;

  template <class Option>
  void options(Option&& option) {
    option("scale", scale, Allowed::any(), "whether there is a weight for each column");
  }

  void weights(const Specs& specs, const Config& config) const {
    if (scale) specs.add("weight", {config.hidden_size}, Init::ones());
  }

  /// x [T, H] → [T, H].
  template <Algebra A>
  A apply(const A& x, const Context<A>& c) const {
    return affine(rms_normalize(x, c.eps()), c);
  }
};

}  // namespace fnet
