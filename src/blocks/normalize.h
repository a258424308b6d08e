#pragma once

#include "blocks/context.h"

namespace fnet {

// What several norms have in common. All over the last axis: x [T, H] → [T, H].

/// x / sqrt(mean(x²) + eps)
template <class A>
A rms_normalize(const A& x, double eps) {
  return x * rsqrt(mean_last(x * x) + eps);
}

/// (x − mean) / sqrt(var + eps)
template <class A>
A standardize(const A& x, double eps) {
  return rms_normalize(x - mean_last(x), eps);
}

/// Σ x²: [T, 1].
template <class A>
A square_sum(const A& x, const Context<A>& c) {
  return mean_last(x * x) * static_cast<double>(c.config.hidden_size);
}

/// x · weight + bias, each where the part has it.
template <class A>
A affine(const A& x, const Context<A>& c) {
  const A y = c.w.has("weight") ? x * c.w["weight"] : x;
  return c.w.has("bias") ? y + c.w["bias"] : y;
}

/// A factor from 1 − width to 1: 1 − width + width · σ(p).
template <class A>
A band(const A& p, double width) {
  return sigmoid(p) * width + (1.0 - width);
}

}  // namespace fnet
