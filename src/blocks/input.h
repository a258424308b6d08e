#pragma once

#include "blocks/context.h"

namespace fnet {

/// Rows of numbers in the place of word embeddings: y = W ((x − mean) / std) + b, where mean and
/// std are the training data's. Source: ViT, eq. 1, whose patches a linear map embeds; PatchTST,
/// §3.1.
struct InputEmbeddings {
  static void weights(const Specs& specs, const Config& c) {
    const auto width = static_cast<std::int64_t>(c.input_shape().row_size());
    specs.exact("mean", {width}, Init::zeros());
    specs.exact("std", {width}, Init::ones());
    specs.linear("projection", width, c.hidden_size);
  }

  /// x [T, F] → [T, H]; `c` stands where the embeddings' weights are.
  template <Algebra A>
  static A apply(const A& x, const Context<A>& c) {
    const Context<A> own = c.under("input_embeddings");
    return linear((x - own.w["mean"]) / own.w["std"], own, "projection");
  }

  static double operations(const Config& c) {
    return linear_operations(static_cast<std::int64_t>(c.input_shape().row_size()), c.hidden_size);
  }
};

}  // namespace fnet
