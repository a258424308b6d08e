#pragma once

#include "blocks/normalize.h"

namespace fnet {

/// y = (x − mean) / sqrt(var + eps) · weight + bias over the last axis.
/// Source: Ba, Kiros & Hinton 2016, eq. 4.
struct LayerNorm : Part {
  bool bias = true;

  template <class Option>
  void options(Option&& option) {
    option("bias", bias, Allowed::any(), "whether there is a bias, or the scale alone");
  }

  void weights(const Specs& specs, const Config& config) const {
    specs.add("weight", {config.hidden_size}, Init::ones());
    if (bias) specs.add("bias", {config.hidden_size}, Init::zeros());
  }

  /// x [T, H] → [T, H].
  template <Algebra A>
  A apply(const A& x, const Context<A>& c) const {
    return affine(standardize(x, c.eps()), c);
  }
};

}  // namespace fnet
