#pragma once

#include <iterator>

#include "blocks/head/head.h"

namespace fnet {

/// logits [B, C] = W drop(pooled) + b, plus those of its wide part where it has one. Source:
/// Hugging Face's FNetForSequenceClassification.
struct SequenceClassification : LayeredHead<PooledHead> {
  static constexpr bool wide = true;

  void weights(const Specs& specs, const Config& config, const HeadConfig& head) const {
    add_maps(specs, config, kClassifier, std::ssize(head.labels));
    WidePart::weights(specs, head);
  }

  template <Algebra A>
  A apply(const A& x, const HeadContext<A>& c) const {
    const A deep = scores(x, c, kClassifier);
    return c.ngrams == nullptr ? deep : WidePart::join(deep, *c.ngrams, c.w);
  }
};

}  // namespace fnet
