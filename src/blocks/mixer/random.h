#pragma once

#include <cmath>

#include "blocks/mixer/linear.h"

namespace fnet {

/// LinearMixing whose matrices are random, stored and never trained: the paper's ablation of what
/// is learned in the mixing. Of variance 1/P and 1/H, which keeps the size of x. Source: FNet §4.1,
/// "Random"; Google's RandomTransform.
struct RandomMixing : LinearMixing {
  void weights(const Specs& specs, const Config& config) const {
    const auto scaled = [](std::int64_t inputs) {
      return Init::normal(1 / std::sqrt(static_cast<double>(inputs)));
    };
    add(specs.buffers(), config, scaled(config.max_position_embeddings),
        scaled(config.hidden_size));
  }
};

}  // namespace fnet
