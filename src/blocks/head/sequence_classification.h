#pragma once

#include "blocks/head/head.h"

namespace fnet {

/// logits [B, C] = W drop(pooled) + b. Source: Hugging Face's FNetForSequenceClassification.
struct SequenceClassification : PooledHead {
  void weights(const Specs& specs, const Config& config, const HeadConfig& head) const {
    specs.linear("classifier", config.hidden_size, static_cast<std::int64_t>(head.labels.size()));
  }

  template <Algebra A>
  A apply(const A& x, const HeadContext<A>& c) const {
    return linear(c.drop(c.pool(x), c.config.hidden_dropout_prob, "dropout"), c, "classifier");
  }
};

}  // namespace fnet
