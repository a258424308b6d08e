#pragma once

#include <iterator>

#include "blocks/head/head.h"

namespace fnet {

/// logits [P, C] = W drop(x[picks]) + b. Source: Hugging Face's FNetForTokenClassification.
struct TokenClassification : LayeredHead<RowHead> {
  void weights(const Specs& specs, const Config& config, const HeadConfig& head) const {
    add_maps(specs, config, kClassifier, std::ssize(head.labels));
  }

  template <Algebra A>
  A apply(const A& x, const HeadContext<A>& c) const {
    return scores(x, c, kClassifier);
  }
};

}  // namespace fnet
