#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "blocks/context.h"
#include "blocks/parts.h"

namespace fnet {

/// What stands between the vectors that a head reads and its last map, each left out unless it is
/// asked for: x ← norm(x), x ← act(norm(W drop(x) + b)), x ← attention(x) over the rows of a text,
/// x ← ffn(x). Source: the seed library's heads.
struct HeadLayers {
  static constexpr std::string_view kPlace = "head_layers";

  std::string norm_type = "none";
  std::int64_t intermediate_size = 0;
  std::string hidden_act = "gelu";
  std::int64_t num_attention_heads = 0;
  std::string ffn_type = "none";
  std::int64_t ffn_expansion_factor = 4;

  template <class Option>
  void options(Option&& option) {
    std::vector<std::string_view> ffns = {"none"};
    for (const KindRow& row : ffn_kinds()) ffns.push_back(row.name);
    option("norm_type", norm_type, Allowed::one_of({"none", "layer_norm", "rms_norm"}),
           "norm of what the head reads, and behind its dense layer");
    option("intermediate_size", intermediate_size, Allowed::range(0, 65'536),
           "width of a dense layer before the last map; 0: there is none");
    option("hidden_act", hidden_act, Allowed::one_of(activation_kinds()),
           "activation of the dense layer and of the feed-forward mlp");
    option("num_attention_heads", num_attention_heads, Allowed::range(0, 65'536),
           "heads of an attention over the rows of a text, where the head scores rows; 0: there is "
           "none");
    option("ffn_type", ffn_type, Allowed::one_of(ffns), "feed-forward before the last map");
    option("ffn_expansion_factor", ffn_expansion_factor, Allowed::range(1, 64),
           "its inner width over its outer one");
  }

  /// Columns of what the last map reads.
  std::int64_t width(const Config& config) const {
    return intermediate_size > 0 ? intermediate_size : config.hidden_size;
  }

  /// Whether there are any.
  bool any() const {
    return norm_type != "none" || intermediate_size > 0 || num_attention_heads > 0 ||
           ffn_type != "none";
  }

  /// Whether a row of the result depends on the other rows of its text.
  bool reads_text() const {
    return num_attention_heads > 0 || (ffn_type != "none" && row_of(ffn()).reach == Reach::text);
  }

  /// Throws: input where the heads do not divide the width.
  void weights(const Specs& specs, const Config& config) const {
    const Specs own = specs.under(kPlace);
    const Config inner = inside(config);
    add_weights(norm(), own.under("LayerNorm"), config);
    if (intermediate_size > 0) {
      own.linear("dense", config.hidden_size, intermediate_size);
      add_weights(norm(), own.under("dense_LayerNorm"), inner);
    }
    if (num_attention_heads > 0) {
      require(inner.hidden_size % num_attention_heads == 0, Kind::input,
              "config: head_options.num_attention_heads: expected a divisor of the head's width "
              "({}), found {}",
              inner.hidden_size, num_attention_heads);
      attention(config).weights(own.under("attention"), inner);
    }
    if (ffn_type == "none") return;
    const Ffn last = ffn();
    std::visit([&](const auto& part) { part.check(inner); }, last);
    add_weights(last, own.under("ffn"), inner);
  }

  /// x [P, H] → [P, width]; `c` stands where the head's weights are.
  template <Algebra A>
  A apply(A x, const Context<A>& c) const {
    if (!any()) return x;
    const Config inner = inside(c.config);
    const Context<A> own{c.w.under(kPlace), inner,    c.rows, activation_named(hidden_act),
                         c.layer,           c.dropout};
    x = fnet::apply(norm(), x, own.under("LayerNorm"));
    if (intermediate_size > 0) {
      x = linear(own.drop(x, inner.hidden_dropout_prob, "dropout"), own, "dense");
      x = own.activate(fnet::apply(norm(), x, own.under("dense_LayerNorm")));
    }
    if (num_attention_heads > 0) x = fnet::apply(attention(c.config), x, own.under("attention"));
    if (ffn_type != "none") x = fnet::apply(ffn(), x, own.under("ffn"));
    return x;
  }

 private:
  Norm norm() const { return norm_named(norm_type); }
  Ffn ffn() const { return ffn_named(ffn_type); }

  Attention attention(const Config& config) const {
    Attention part;
    part.num_attention_heads = num_attention_heads;
    part.attention_probs_dropout_prob = config.hidden_dropout_prob;
    return part;
  }

  /// The config as the parts behind the dense layer see it.
  Config inside(const Config& config) const {
    Config inner = config;
    inner.hidden_size = width(config);
    inner.intermediate_size = inner.hidden_size * ffn_expansion_factor;
    return inner;
  }
};

}  // namespace fnet
