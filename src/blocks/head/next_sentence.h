#pragma once

#include "blocks/head/head.h"

namespace fnet {

/// logits [B, 2] = W pooled + b: the second text follows the first, or does not. Source: Hugging
/// Face's FNetForNextSentencePrediction.
struct NextSentence : PooledHead {
  static constexpr const char* kRelationship = "cls.seq_relationship";

  void weights(const Specs& specs, const Config& config, const HeadConfig&) const {
    specs.linear(kRelationship, config.hidden_size, 2);
  }

  template <Algebra A>
  A apply(const A& x, const HeadContext<A>& c) const {
    return linear(c.pool(x), c, kRelationship);
  }
};

}  // namespace fnet
