#pragma once

#include "blocks/head/head.h"

namespace fnet {

/// logits [P, C] = W drop(x[picks]) + b. Source: Hugging Face's FNetForTokenClassification.
struct TokenClassification : RowHead, Classifier {
  template <Algebra A>
  A apply(const A& x, const HeadContext<A>& c) const {
    return linear(c.drop(c.pick(x), c.config.hidden_dropout_prob, "dropout"), c, kClassifier);
  }
};

}  // namespace fnet
