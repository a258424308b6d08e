#pragma once

#include "blocks/head/head.h"

namespace fnet {

/// logits [P, V] = E norm(act(W x[picks] + b)) + c: how well each token of the vocabulary fits a
/// row. E is the table of word embeddings, or with tie_word_embeddings=false one of its own.
/// Source: Hugging Face's FNetForMaskedLM.
struct MaskedLM : RowHead {
  static constexpr const char* kDense = "cls.predictions.transform.dense";
  static constexpr const char* kNorm = "cls.predictions.transform.LayerNorm";
  static constexpr const char* kDecoder = "cls.predictions.decoder.weight";
  static constexpr const char* kBias = "cls.predictions.bias";

  void weights(const Specs& specs, const Config& config, const HeadConfig&) const {
    specs.linear(kDense, config.hidden_size, config.hidden_size);
    LayerNorm().weights(specs.under(kNorm), config);
    if (!config.tie_word_embeddings) {
      specs.add(kDecoder, {config.vocab_size, config.hidden_size}, Init::normal());
    }
    specs.add(kBias, {config.vocab_size}, Init::zeros());
  }

  template <Algebra A>
  A apply(const A& x, const HeadContext<A>& c) const {
    const A inner = c.activate(linear(c.pick(x), c, kDense));
    const A& table = c.config.tie_word_embeddings ? c.encoder["embeddings.word_embeddings.weight"]
                                                  : c.w[kDecoder];
    return dense_table(fnet::apply(LayerNorm(), inner, c.under(kNorm)), table, c.w[kBias]);
  }
};

}  // namespace fnet
