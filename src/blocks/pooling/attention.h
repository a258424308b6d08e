#pragma once

#include "blocks/context.h"

namespace fnet {

/// Σ a[n] x[n], a the softmax over a text's rows of w · tanh(W x[n] + b).
/// Source: Yang et al. 2016, eq. 5 to 7.
struct AttentionPooling : Part {
  static constexpr const char* kDense = "attention_pooling.dense";
  static constexpr const char* kScore = "attention_pooling.score";

  void weights(const Specs& specs, const Config& config) const {
    specs.linear(kDense, config.hidden_size, config.hidden_size);
    specs.linear(kScore, config.hidden_size, 1, false);
  }

  /// x [T, H] → [B, H]; padding is never read.
  template <Algebra A>
  A apply(const A& x, const Context<A>& c) const {
    const A scores = linear(tanh(linear(x, c, kDense)), c, kScore);  // [T, 1]
    return sum_rows(x * softmax_rows(scores, c.rows), c.rows);
  }
};

}  // namespace fnet
