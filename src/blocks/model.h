#pragma once

#include "blocks/ffn/mlp.h"
#include "blocks/ffn/swiglu.h"
#include "blocks/head/classification.h"
#include "blocks/head/pooling.h"
#include "blocks/mixer/fourier.h"
#include "blocks/mixer/identity.h"
#include "blocks/norm/layer_norm.h"
#include "blocks/norm/rms_norm.h"
#include "blocks/weights.h"
#include "core/rows.h"
#include "fnet/config.h"

// The whole model as formulas over a tensor type A. A is fnet::Tensor in the runtime and
// at::Tensor in training; both bring, by argument-dependent lookup,
//   + - * (with each other, [T,1] and [H] broadcast, and with numbers), rsqrt, tanh, sigmoid, relu,
//   silu, gelu, gelu_tanh, mean_last (x [T,H] → [T,1]), dense (x Wᵀ + b), lookup (table rows by
//   ids), fourier_mix, first_rows, mean_rows, max_rows.
namespace fnet {

/// What dropout is outside training.
struct NoDrop {
  template <class A>
  const A& operator()(const A& x) const {
    return x;
  }
};

/// The norm of kinds.def by its name. A tensor type may offer `fast_norm` for some kinds, an
/// optimisation that must equal the formula.
template <class A>
A norm(std::string_view kind, const A& x, const Weights<A>& w, double eps) {
  if constexpr (requires { fast_norm(kind, x, w, eps); }) {
    if (auto y = fast_norm(kind, x, w, eps)) return *y;
  }
#define FNET_NORM(name, Type, help) \
  if (kind == #name) return Type::apply(x, w, eps);
#include "model/kinds.def"
  fail(Kind::internal, "norm_type '{}' is not in the table", kind);
}

inline void norm_weights(std::string_view kind, const Specs& specs, std::int64_t width) {
#define FNET_NORM(name, Type, help) \
  if (kind == #name) return Type::weights(specs, width);
#include "model/kinds.def"
  fail(Kind::internal, "norm_type '{}' is not in the table", kind);
}

/// The feed-forward of kinds.def named by `config.ffn_type`; `fast_feed_forward` as `fast_norm`.
template <class A>
A feed_forward(const A& x, const Weights<A>& w, const Config& config) {
  if constexpr (requires { fast_feed_forward(x, w, config); }) {
    if (auto y = fast_feed_forward(x, w, config)) return *y;
  }
#define FNET_FFN(name, Type, help) \
  if (config.ffn_type == #name) return Type::apply(x, w, config);
#include "model/kinds.def"
  fail(Kind::internal, "ffn_type '{}' is not in the table", config.ffn_type);
}

inline void feed_forward_weights(const Specs& specs, const Config& config) {
#define FNET_FFN(name, Type, help) \
  if (config.ffn_type == #name) return Type::weights(specs, config);
#include "model/kinds.def"
  fail(Kind::internal, "ffn_type '{}' is not in the table", config.ffn_type);
}

/// The mixer of kinds.def by its name.
template <class A>
A mix(std::string_view kind, const A& x, const Rows& rows, const Weights<A>& w,
      const Config& config) {
#define FNET_MIXER(name, Type, help) \
  if (kind == #name) return Type::apply(x, rows, w, config);
#include "model/kinds.def"
  fail(Kind::internal, "mixer '{}' is not in the table", kind);
}

inline void mixer_weights(std::string_view kind, const Specs& specs, const Config& config) {
#define FNET_MIXER(name, Type, help) \
  if (kind == #name) return Type::weights(specs, config);
#include "model/kinds.def"
  fail(Kind::internal, "mixer '{}' is not in the table", kind);
}

/// Token (or given) vectors + position + type → norm → projection → dropout. Source: FNet §3.2;
/// Hugging Face adds in this order.
struct Embeddings {
  static void weights(Specs specs, const Config& c) {
    specs.add("word_embeddings.weight", {c.vocab_size, c.hidden_size}, Init::normal);
    specs.add("position_embeddings.weight", {c.max_position_embeddings, c.hidden_size},
              Init::normal);
    specs.add("token_type_embeddings.weight", {c.type_vocab_size, c.hidden_size}, Init::normal);
    norm_weights(c.norm_type, specs.under("LayerNorm"), c.hidden_size);
    if (c.embedding_projection) specs.linear("projection", c.hidden_size, c.hidden_size);
  }

  /// `vectors` [T, H]: the word embeddings, or what a model without tokens has in their place.
  /// `positions`, `types`: [T] ids.
  template <class A, class Ids, class Drop>
  static A apply(const A& vectors, const Ids& positions, const Ids& types, const Weights<A>& w,
                 const Config& c, Drop&& drop) {
    const A sum = vectors + lookup(w["token_type_embeddings.weight"], types) +
                  lookup(w["position_embeddings.weight"], positions);
    A x = norm(c.norm_type, sum, w.under("LayerNorm"), c.embedding_eps());
    if (c.embedding_projection) x = dense(x, w["projection.weight"], w["projection.bias"]);
    return drop(x);
  }
};

/// One encoder block. Source: FNet §3.2 (post); Xiong et al. 2020 (pre).
struct EncoderBlock {
  static void weights(const Specs& specs, const Config& c, std::string_view mixer) {
    mixer_weights(mixer, specs.under("fourier"), c);
    norm_weights(c.norm_type, specs.under("fourier.output.LayerNorm"), c.hidden_size);
    feed_forward_weights(specs, c);
    norm_weights(c.norm_type, specs.under("output.LayerNorm"), c.hidden_size);
  }

  /// x [T, H] → [T, H].
  template <class A, class Drop>
  static A apply(const A& x, const Rows& rows, const Weights<A>& w, const Config& c,
                 std::string_view mixer, Drop&& drop) {
    const auto mixing_norm = [&](const A& v) {
      return norm(c.norm_type, v, w.under("fourier.output.LayerNorm"), c.layer_norm_eps);
    };
    const auto output_norm = [&](const A& v) {
      return norm(c.norm_type, v, w.under("output.LayerNorm"), c.layer_norm_eps);
    };
    const Weights<A> mixer_w = w.under("fourier");
    if (c.norm_position == "pre") {
      const A h = x + mix(mixer, mixing_norm(x), rows, mixer_w, c);
      return h + drop(feed_forward(output_norm(h), w, c));
    }
    const A h = mixing_norm(x + mix(mixer, x, rows, mixer_w, c));
    return output_norm(h + drop(feed_forward(h, w, c)));
  }
};

/// The encoder without head: Hugging Face's FNetModel.
struct Encoder {
  static void weights(const Specs& specs, const Config& c) {
    Embeddings::weights(specs.under("embeddings"), c);
    for (std::int64_t i = 0; i < c.num_hidden_layers; ++i) {
      EncoderBlock::weights(specs.under("encoder.layer." + std::to_string(i)), c, c.mixer(i));
    }
    if (c.norm_position == "pre") {
      norm_weights(c.norm_type, specs.under("encoder.LayerNorm"), c.hidden_size);
    }
    if (c.pooler) PoolerPooling::weights(specs, c);
  }

  /// The last hidden state [T, H] from the embeddings' output or any [T, H].
  template <class A, class Drop>
  static A apply(A x, const Rows& rows, const Weights<A>& w, const Config& c, Drop&& drop) {
    for (std::int64_t i = 0; i < c.num_hidden_layers; ++i) {
      x = EncoderBlock::apply(x, rows, w.under("encoder.layer." + std::to_string(i)), c, c.mixer(i),
                              drop);
    }
    if (c.norm_position == "pre") {
      x = norm(c.norm_type, x, w.under("encoder.LayerNorm"), c.layer_norm_eps);
    }
    return x;
  }
};

/// Where the encoder's weights stand: under `fnet.` in a model with a head, as Hugging Face does.
inline std::string_view encoder_place(const Config& c) { return c.has_head() ? "fnet" : ""; }

/// The weights of the task's head, if there is one.
inline void head_weights(const Specs& specs, const Config& c) {
#define FNET_HEAD(task_name, Type, architecture, help) \
  if (c.task == (task_name)) Type::weights(specs, c);
#include "model/kinds.def"
}

/// All weights of a model, in a fixed order.
inline std::vector<WeightSpec> model_weights(const Config& c) {
  Specs specs;
  Encoder::weights(specs.under(encoder_place(c)), c);
  head_weights(specs, c);
  return specs.list();
}

/// The head's scores from the last hidden state: [B, C] or [T, C] by task.
template <class A, class Drop>
A head(const A& x, const Rows& rows, const Weights<A>& w, const Config& c, Drop&& drop) {
#define FNET_HEAD(task_name, Type, architecture, help) \
  if (c.task == (task_name)) return Type::apply(x, rows, w, w.under(encoder_place(c)), c, drop);
#include "model/kinds.def"
  fail(Kind::internal, "task '{}' has no head", c.task);
}

}  // namespace fnet
