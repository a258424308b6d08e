#pragma once

#include "blocks/head/pooling.h"
#include "blocks/weights.h"
#include "core/rows.h"
#include "fnet/config.h"

namespace fnet {

// A head maps the last hidden state [T, H] to scores. `w` stands at the model's root, `encoder`
// where the encoder's weights are. Source: Hugging Face's FNetFor… classes.

/// logits [B, C] = W drop(pooled) + b.
struct SequenceClassification {
  static void weights(Specs specs, const Config& config) {
    specs.linear("classifier", config.hidden_size, static_cast<std::int64_t>(config.labels.size()));
  }

  template <class A, class Drop>
  static A apply(const A& x, const Rows& rows, const Weights<A>& w, const Weights<A>& encoder,
                 const Config& config, Drop&& drop) {
    return dense(drop(pool(config.pooling, x, rows, encoder)), w["classifier.weight"],
                 w["classifier.bias"]);
  }
};

/// logits [T, C] = W drop(x) + b.
struct TokenClassification {
  static void weights(Specs specs, const Config& config) {
    specs.linear("classifier", config.hidden_size, static_cast<std::int64_t>(config.labels.size()));
  }

  template <class A, class Drop>
  static A apply(const A& x, const Rows&, const Weights<A>& w, const Weights<A>&, const Config&,
                 Drop&& drop) {
    return dense(drop(x), w["classifier.weight"], w["classifier.bias"]);
  }
};

}  // namespace fnet
