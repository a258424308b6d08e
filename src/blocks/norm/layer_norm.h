#pragma once

#include "blocks/weights.h"

namespace fnet {

/// y = (x − mean) / sqrt(var + eps) · weight + bias over the last axis.
/// Source: Ba, Kiros & Hinton 2016, eq. 4.
struct LayerNorm {
  static void weights(Specs specs, std::int64_t width) {
    specs.add("weight", {width}, Init::ones);
    specs.add("bias", {width}, Init::zeros);
  }

  /// x [T, H] → [T, H].
  template <class A>
  static A apply(const A& x, const Weights<A>& w, double eps) {
    const A centred = x - mean_last(x);
    return centred * rsqrt(mean_last(centred * centred) + eps) * w["weight"] + w["bias"];
  }
};

}  // namespace fnet
