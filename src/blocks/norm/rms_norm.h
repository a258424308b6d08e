#pragma once

#include "blocks/weights.h"

namespace fnet {

/// y = x / sqrt(mean(x²) + eps) · weight over the last axis.
/// Source: Zhang & Sennrich 2019, eq. 4.
struct RmsNorm {
  static void weights(Specs specs, std::int64_t width) { specs.add("weight", {width}, Init::ones); }

  /// x [T, H] → [T, H].
  template <class A>
  static A apply(const A& x, const Weights<A>& w, double eps) {
    return x * rsqrt(mean_last(x * x) + eps) * w["weight"];
  }
};

}  // namespace fnet
