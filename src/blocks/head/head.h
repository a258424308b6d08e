#pragma once

#include "blocks/context.h"
#include "blocks/head_layers.h"
#include "blocks/parts.h"
#include "core/bags.h"
#include "core/error.h"

namespace fnet {

/// What a head gets beside the last hidden state [T, H]: `w` stands where its own weights are.
template <class A>
struct HeadContext : Context<A> {
  Weights<A> encoder;                       ///< the encoder's, the embedding table among them
  const HeadConfig& head;                   ///< its labels
  const Pooling& pooling;                   ///< what a pooled head reads
  const typename A::Ids* picked = nullptr;  ///< rows of x that a row head scores; null: all
  const Bags* ngrams = nullptr;  ///< what a wide head reads of each text; null: its deep part alone

  /// One vector a text: [T, H] → [B, H].
  A pool(const A& x) const {
    Context<A> inner = *this;
    inner.w = encoder;
    return apply(pooling, x, inner);
  }

  /// The rows to score: [T, H] → [P, H].
  A pick(const A& x) const { return picked == nullptr ? x : lookup(x, *picked); }
};

// A head is a struct whose data members are its options; it declares its weights and its formula:
//   void weights(const Specs&, const Config&, const HeadConfig&) const;
//   template <Algebra A> A apply(const A& x, const HeadContext<A>&) const;

/// A head that scores each text, [B, C], from the vector that its pooling makes of it.
struct PooledHead {
  static constexpr bool pooled = true;
  static constexpr bool wide = false;  ///< whether it may have a wide part

  /// As a part's.
  template <class Option>
  void options(Option&&) {}
};

/// A head that scores rows, [P, C]: those that were picked, or all.
struct RowHead {
  static constexpr bool pooled = false;
  static constexpr bool wide = false;

  template <class Option>
  void options(Option&&) {}
};

/// Either of them with layers before its last map.
template <class Kind>
struct LayeredHead : Kind {
  HeadLayers layers;

  template <class Option>
  void options(Option&& option) {
    layers.options(option);
  }

  /// The layers' weights, then those of the last map to so many scores.
  void add_maps(const Specs& specs, const Config& config, const char* last,
                std::int64_t scores) const {
    require(!Kind::pooled || !layers.reads_text(), fnet::Kind::input,
            "config: head_options: expected no attention and no ffn_type {} in a head that reads "
            "one vector a text",
            layers.ffn_type);
    layers.weights(specs, config);
    specs.linear(last, layers.width(config), scores);
  }

  /// What the last map reads, of a [T, H] as it stands.
  template <Algebra A>
  A read(const A& x, const HeadContext<A>& c) const {
    if constexpr (Kind::pooled) {
      return layers.apply(c.pool(x), c);
    } else {
      return layers.reads_text() ? c.pick(layers.apply(x, c)) : layers.apply(c.pick(x), c);
    }
  }

  /// The scores: that map of it, with dropout in training where the head has one.
  template <Algebra A>
  A scores(const A& x, const HeadContext<A>& c, const char* last, bool drop = true) const {
    const A inner = read(x, c);
    return linear(drop ? c.drop(inner, c.config.hidden_dropout_prob, "dropout") : inner, c, last);
  }
};

/// Hugging Face's name of the last map of most heads.
inline constexpr const char* kClassifier = "classifier";

/// The wide part of a head: a linear map of a text's words and pairs of words, whose rows are found
/// by hash (text/ngrams.h). It is fitted by itself, so all of it is stored as buffers.
/// Source: Cheng et al. 2016, "Wide & Deep Learning".
struct WidePart {
  static void weights(const Specs& specs, const HeadConfig& head) {
    const auto classes = static_cast<std::int64_t>(head.labels.size());
    if (head.wide_features == 0) return;
    specs.exact("wide.keys", {head.wide_features}, Init::zeros());
    const Specs fitted = specs.buffers();
    fitted.add("wide.idf", {head.wide_features}, Init::zeros());
    fitted.add("wide.weight", {head.wide_features, classes}, Init::zeros());
    fitted.add("wide.bias", {classes}, Init::zeros());
    fitted.add("wide.deep_scale", {1}, Init::ones());
  }

  /// Σ value · weight[row] + bias: [B, C].
  template <Algebra A>
  static A apply(const Bags& ngrams, const Weights<A>& w) {
    return embedding_bag(w["wide.weight"], ngrams) + w["wide.bias"];
  }

  /// With the scores of the deep part, by the share that was fitted for them.
  template <Algebra A>
  static A join(const A& deep, const Bags& ngrams, const Weights<A>& w) {
    return deep * w["wide.deep_scale"] + apply(ngrams, w);
  }
};

}  // namespace fnet
