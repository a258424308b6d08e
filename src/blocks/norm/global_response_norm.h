#pragma once

#include "blocks/context.h"

namespace fnet {

/// y = x + weight ⊙ x ⊙ n + bias, n = g / (mean of g over the columns + eps), where g is the length
/// of each column over the text's own rows. It begins as y = x. Source: Woo et al. 2023, §3.2.
struct GlobalResponseNorm : Part {
  void weights(const Specs& specs, const Config& config) const {
    specs.add("weight", {config.hidden_size}, Init::zeros());
    specs.add("bias", {config.hidden_size}, Init::zeros());
  }

  /// x [T, H] → [T, H].
  template <Algebra A>
  A apply(const A& x, const Context<A>& c) const {
    const A square = sum_rows(x * x, c.rows) + c.eps();  // eps: a length of 0 has no slope
    const A length = square * rsqrt(square);             // [B, H]
    const A factor = length / (mean_last(length) + c.eps()) * c.w["weight"] + 1.0;
    return x * repeat_rows(factor, c.rows) + c.w["bias"];
  }
};

}  // namespace fnet
