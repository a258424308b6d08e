#pragma once

#include "blocks/head/head.h"

namespace fnet {

/// score [B, 1] = w · drop(pooled) + b of each text; the texts of a question compete. Source:
/// Hugging Face's FNetForMultipleChoice.
struct MultipleChoice : LayeredHead<PooledHead> {
  void weights(const Specs& specs, const Config& config, const HeadConfig&) const {
    add_maps(specs, config, kClassifier, 1);
  }

  template <Algebra A>
  A apply(const A& x, const HeadContext<A>& c) const {
    return scores(x, c, kClassifier);
  }
};

}  // namespace fnet
