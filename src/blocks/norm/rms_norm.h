#pragma once

#include "blocks/context.h"

namespace fnet {

/// y = x / sqrt(mean(x²) + eps) · weight over the last axis.
/// Source: Zhang & Sennrich 2019, eq. 4.
struct RmsNorm : Part {
  void weights(const Specs& specs, const Config& config) const {
    specs.add("weight", {config.hidden_size}, Init::ones());
  }

  /// x [T, H] → [T, H].
  template <Algebra A>
  A apply(const A& x, const Context<A>& c) const {
    return x * rsqrt(mean_last(x * x) + c.eps()) * c.w["weight"];
  }
};

}  // namespace fnet
