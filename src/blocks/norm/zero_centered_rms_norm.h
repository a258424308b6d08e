#pragma once

#include "blocks/normalize.h"

namespace fnet {

/// y = rms_norm(x − mean) over the last axis, without a shift: a layer norm's scale alone.
/// Source: Qwen3-Next, 2025, as the seed has it.
struct ZeroCenteredRmsNorm : Part {
  void weights(const Specs& specs, const Config& config) const {
    specs.add("weight", {config.hidden_size}, Init::ones());
  }

  /// x [T, H] → [T, H].
  template <Algebra A>
  A apply(const A& x, const Context<A>& c) const {
    return affine(standardize(x, c.eps()), c);
  }
};

}  // namespace fnet
