#pragma once

#include "blocks/head/head.h"

namespace fnet {

/// logits [P, V] = E norm(act(W x[picks] + b)) + c: how well each token of the vocabulary fits a
/// row. E is the table of word embeddings, or with tie_word_embeddings=false a map of its own.
/// Source: Hugging Face's FNetForMaskedLM.
struct MaskedLM : RowHead {
  static constexpr const char* kDense = "cls.predictions.transform.dense";
  static constexpr const char* kNorm = "cls.predictions.transform.LayerNorm";
  static constexpr const char* kBias = "cls.predictions.bias";
  static constexpr const char* kDecoder = "cls.predictions.decoder";

  void weights(const Specs& specs, const Config& config, const HeadConfig&) const {
    specs.linear(kDense, config.hidden_size, config.hidden_size);
    LayerNorm().weights(specs.under(kNorm), config);
    if (config.tie_word_embeddings) {
      specs.add(kBias, {config.vocab_size}, Init::zeros());
    } else {
      specs.linear(kDecoder, config.hidden_size, config.vocab_size);
    }
  }

  template <Algebra A>
  A apply(const A& x, const HeadContext<A>& c) const {
    const A inner = c.activate(linear(c.pick(x), c, kDense));
    const A normed = fnet::apply(LayerNorm(), inner, c.under(kNorm));
    if (!c.config.tie_word_embeddings) return linear(normed, c, kDecoder);
    return dense_table(normed, c.encoder["embeddings.word_embeddings.weight"], c.w[kBias]);
  }
};

}  // namespace fnet
