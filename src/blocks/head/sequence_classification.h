#pragma once

#include "blocks/head/head.h"

namespace fnet {

/// logits [B, C] = W drop(pooled) + b. Source: Hugging Face's FNetForSequenceClassification.
struct SequenceClassification : PooledHead, Classifier {
  template <Algebra A>
  A apply(const A& x, const HeadContext<A>& c) const {
    return linear(c.drop(c.pool(x), c.config.hidden_dropout_prob, "dropout"), c, kClassifier);
  }
};

}  // namespace fnet
