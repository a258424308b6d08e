#pragma once

#include <string>

#include "blocks/head/head.h"
#include "model/similarity_option.h"

namespace fnet {

/// vectors [B, H]: the pooled ones as they are, to be compared with each other. No weights.
struct TextEmbedding : PooledHead {
  std::string similarity = "cosine";

  template <class Option>
  void options(Option&& option) {
    option(kSimilarityOption, similarity, Allowed::one_of({"cosine", "dot"}),
           "how two vectors are compared: their cosine, or the sum of products");
  }

  void weights(const Specs&, const Config&, const HeadConfig&) const {}

  template <Algebra A>
  A apply(const A& x, const HeadContext<A>& c) const {
    return c.pool(x);
  }
};

}  // namespace fnet
