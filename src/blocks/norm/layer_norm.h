#pragma once

#include "blocks/context.h"

namespace fnet {

/// y = (x − mean) / sqrt(var + eps) · weight + bias over the last axis.
/// Source: Ba, Kiros & Hinton 2016, eq. 4.
struct LayerNorm : Part {
  void weights(const Specs& specs, const Config& config) const {
    specs.add("weight", {config.hidden_size}, Init::ones());
    specs.add("bias", {config.hidden_size}, Init::zeros());
  }

  /// x [T, H] → [T, H].
  template <Algebra A>
  A apply(const A& x, const Context<A>& c) const {
    const A centred = x - mean_last(x);
    return centred * rsqrt(mean_last(centred * centred) + c.eps()) * c.w["weight"] + c.w["bias"];
  }
};

}  // namespace fnet
