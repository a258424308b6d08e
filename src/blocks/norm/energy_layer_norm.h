#pragma once

#include "blocks/normalize.h"

namespace fnet {

/// The layer norm of an energy transformer: one scale, at least 0.001, for all columns:
/// y = max(weight, 0.001) · (x − mean) / sqrt(var + eps) + bias. Source: Hoover et al. 2023, eq. 1.
struct EnergyLayerNorm : Part {
  static constexpr double kLeastScale = 1e-3;

  void weights(const Specs& specs, const Config& config) const {
    specs.add("weight", {1}, Init::ones());
    specs.add("bias", {config.hidden_size}, Init::zeros());
  }

  /// x [T, H] → [T, H].
  template <Algebra A>
  A apply(const A& x, const Context<A>& c) const {
    const A scale = relu(c.w["weight"] + -kLeastScale) + kLeastScale;
    return standardize(x, c.eps()) * scale + c.w["bias"];
  }
};

}  // namespace fnet
