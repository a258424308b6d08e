#pragma once

#include "blocks/context.h"
#include "core/error.h"

namespace fnet {

/// Y = (softmax(Q Kᵀ / √d) V for each head) Woᵀ + bo, with Q, K, V = X Wᵀ + b and d columns a head.
/// A text's rows ask its tokens: padding does not answer. Names, dropouts and defaults are BERT's,
/// whose `attention.output.LayerNorm` is here the `fourier.output.LayerNorm` of every block.
/// Source: Vaswani et al. 2017, §3.2.2; transformers, BertSelfAttention and BertSelfOutput.
struct Attention : Part {
  std::int64_t num_attention_heads = 0;
  double attention_probs_dropout_prob = 0.1;

  template <class Option>
  void options(Option&& option) {
    option("num_attention_heads", num_attention_heads, Allowed::range(0, 65'536),
           "heads, a divisor of hidden_size; 0: as many as leave each at least 64 columns");
    option("attention_probs_dropout_prob", attention_probs_dropout_prob, Allowed::range(0, 0.999),
           "dropout of the attention's weights in training");
  }

  /// Throws: input where they do not divide the hidden size.
  std::int64_t heads(const Config& config) const {
    const std::int64_t hidden = config.hidden_size;
    std::int64_t count = num_attention_heads;
    if (count == 0) {
      count = hidden < 64 ? 1 : hidden / 64;
      while (hidden % count != 0) --count;
    }
    require(hidden % count == 0, Kind::input,
            "config: mixer_options.num_attention_heads: expected a divisor of hidden_size ({}), "
            "found {}",
            hidden, count);
    return count;
  }

  void weights(const Specs& specs, const Config& config) const {
    heads(config);
    for (const char* name : {"self.query", "self.key", "self.value", "output.dense"}) {
      specs.linear(name, config.hidden_size, config.hidden_size);
    }
  }

  /// x [T, H] → [T, H].
  template <Algebra A>
  A apply(const A& x, const Context<A>& c) const {
    const A y = attention(linear(x, c, "self.query"), linear(x, c, "self.key"),
                          linear(x, c, "self.value"), c.rows, heads(c.config),
                          c.dropout_at(attention_probs_dropout_prob, "self.dropout"));
    return c.drop(linear(y, c, "output.dense"), c.config.hidden_dropout_prob, "output.dropout");
  }

  double operations(const Config& config) const {
    return 4 * linear_operations(config.hidden_size, config.hidden_size);
  }
  double pair_operations(const Config& config) const {
    return 2 * linear_operations(1, config.hidden_size);
  }
};

}  // namespace fnet
