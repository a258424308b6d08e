#pragma once

#include "blocks/head/head.h"

namespace fnet {

/// score [B, 1] = w · drop(pooled) + b of each text; the texts of a question compete. Source:
/// Hugging Face's FNetForMultipleChoice.
struct MultipleChoice : PooledHead {
  void weights(const Specs& specs, const Config& config, const HeadConfig&) const {
    specs.linear(Classifier::kClassifier, config.hidden_size, 1);
  }

  template <Algebra A>
  A apply(const A& x, const HeadContext<A>& c) const {
    return linear(c.drop(c.pool(x), c.config.hidden_dropout_prob, "dropout"), c,
                  Classifier::kClassifier);
  }
};

}  // namespace fnet
