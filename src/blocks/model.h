#pragma once

#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "blocks/heads.h"
#include "blocks/input.h"
#include "blocks/parts.h"

// The whole model as formulas over a tensor type A: see algebra.h.
namespace fnet {

/// Token (or given) vectors + position + type → norm → projection → dropout. Source: FNet §3.2;
/// Hugging Face adds in this order.
struct Embeddings {
  static void weights(const Specs& specs, const Config& c, const Parts& parts) {
    if (c.reads_numbers()) {
      InputEmbeddings::weights(specs.under("input_embeddings"), c);
    } else {
      specs.add("word_embeddings.weight", {c.vocab_size, c.hidden_size}, Init::normal(),
                Resize::vocabulary);
    }
    if (c.position_embedding == "sinusoidal") {
      specs.computed("position_embeddings.weight", {c.max_position_embeddings, c.hidden_size},
                     Init::sinusoids());
    } else {
      specs.add("position_embeddings.weight", {c.max_position_embeddings, c.hidden_size},
                Init::normal(), Resize::rows);
    }
    specs.add("token_type_embeddings.weight", {c.type_vocab_size, c.hidden_size}, Init::normal());
    add_weights(parts.norm, specs.under("LayerNorm"), c);
    if (c.embedding_projection) specs.linear("projection", c.hidden_size, c.hidden_size);
  }

  /// `vectors` [T, H]: the word embeddings, or InputEmbeddings of a model that reads numbers.
  /// `positions`, `types`: [T] ids. `c` stands where the embeddings' weights are, in layer −1.
  template <Algebra A>
  static A apply(const A& vectors, const typename A::Ids& positions, const typename A::Ids& types,
                 const Context<A>& c, const Parts& parts) {
    const A sum = vectors + lookup(c.w["token_type_embeddings.weight"], types) +
                  lookup(c.w["position_embeddings.weight"], positions);
    A x = fnet::apply(parts.norm, sum, c.under("LayerNorm"));
    if (c.config.embedding_projection) x = linear(x, c, "projection");
    return c.drop(x, c.config.hidden_dropout_prob, "dropout");
  }

  static double operations(const Config& c) {
    return (c.embedding_projection ? linear_operations(c.hidden_size, c.hidden_size) : 0) +
           (c.reads_numbers() ? InputEmbeddings::operations(c) : 0);
  }
};

/// The first half of a block: norm(x + mix(x)), or of a model whose norms come before,
/// x + mix(norm(x)).
struct MixingHalf {
  static constexpr std::string_view kNorm = "fourier.output.LayerNorm";
  const Parts& parts;

  template <Algebra A>
  A apply(const A& x, const Context<A>& c) const {
    const Mixer& mixer = parts.mixer(c.layer);
    const auto mix = [&](const A& v) {
      return c.drop_path(fnet::apply(mixer, v, c.under(row_of(mixer).name)), "mixing.drop_path");
    };
    const auto norm = [&](const A& v) { return fnet::apply(parts.norm, v, c.under(kNorm)); };
    return c.config.norm_position == "pre" ? x + mix(norm(x)) : norm(x + mix(x));
  }
};

/// The second half, the same with its feed-forward.
struct FeedForwardHalf {
  static constexpr std::string_view kNorm = "output.LayerNorm";
  static constexpr std::string_view kDropout = "output.dropout";
  const Parts& parts;

  template <Algebra A>
  A apply(const A& x, const Context<A>& c) const {
    const auto feed_forward = [&](const A& v) {
      const A y = fnet::apply(parts.ffn, v, c);
      return c.drop_path(c.drop(y, c.config.output_dropout(), kDropout), "output.drop_path");
    };
    const auto norm = [&](const A& v) { return fnet::apply(parts.norm, v, c.under(kNorm)); };
    return c.config.norm_position == "pre" ? x + feed_forward(norm(x)) : norm(x + feed_forward(x));
  }
};

/// One encoder block. Source: FNet §3.2 (post); Xiong et al. 2020 (pre).
struct EncoderBlock {
  // Hugging Face's names, whatever the mixer and the norm are.
  static constexpr std::string_view kMixingNorm = MixingHalf::kNorm;
  static constexpr std::string_view kOutputNorm = FeedForwardHalf::kNorm;

  static void weights(const Specs& specs, const Config& c, const Parts& parts, std::int64_t layer) {
    const Mixer& mixer = parts.mixer(layer);
    add_weights(mixer, specs.under(row_of(mixer).name), c);
    add_weights(parts.norm, specs.under(kMixingNorm), c);
    add_weights(parts.ffn, specs, c);
    add_weights(parts.norm, specs.under(kOutputNorm), c);
  }

  /// x [T, H] → [T, H]; `c` stands where the block's weights are.
  template <Algebra A>
  static A apply(const A& x, const Context<A>& c, const Parts& parts) {
    return fnet::apply(FeedForwardHalf{parts}, fnet::apply(MixingHalf{parts}, x, c), c);
  }
};

/// How an encoder runs each of its blocks unless it is told: as it stands.
struct AsItStands {
  template <Algebra A>
  A operator()(const A& x, const Context<A>& c, const Parts& parts) const {
    return EncoderBlock::apply(x, c, parts);
  }
};

/// The encoder without head: Hugging Face's FNetModel.
struct Encoder {
  static std::string block_place(std::int64_t layer) {
    return "encoder.layer." + std::to_string(layer);
  }

  static void weights(const Specs& specs, const Config& c, const Parts& parts) {
    Embeddings::weights(specs.under("embeddings"), c, parts);
    for (std::int64_t i = 0; i < c.num_hidden_layers; ++i) {
      EncoderBlock::weights(specs.under(block_place(i)), c, parts, i);
    }
    if (c.norm_position == "pre") add_weights(parts.norm, specs.under("encoder.LayerNorm"), c);
  }

  /// The last hidden state [T, H] from the embeddings' output or any [T, H]; `c` stands where the
  /// encoder's weights are. `states` gets what each layer reads, and then the last hidden state.
  template <Algebra A, class Block = AsItStands>
  static A apply(A x, Context<A> c, const Parts& parts, std::vector<A>* states = nullptr,
                 const Block& block = {}) {
    for (c.layer = 0; c.layer < c.config.num_hidden_layers; ++c.layer) {
      if (states != nullptr) states->push_back(x);
      x = block(x, c.under(block_place(c.layer)), parts);
    }
    if (c.config.norm_position == "pre") {
      x = fnet::apply(parts.norm, x, c.under("encoder.LayerNorm"));
    }
    if (states != nullptr) states->push_back(x);
    return x;
  }

  /// Multiply-adds, counted as two, of the products for one row of a text of `length` rows;
  /// transforms and norms are not counted.
  static double operations(const Config& c, const Parts& parts, std::int64_t length) {
    double sum = Embeddings::operations(c);
    for (const Mixer& mixer : parts.mixers) {
      sum += fnet::operations(mixer, c, length) + fnet::operations(parts.ffn, c, length);
    }
    return sum;
  }
};

/// Where the encoder's weights stand: under `fnet.` in a model with a head, as Hugging Face does. A
/// head without weights makes no other class.
inline std::string_view encoder_place(const Config& c) {
  return c.heads.empty() && architecture_of(c.task) == "FNetModel" ? "" : "fnet";
}

/// The poolings that a model may need: the pooler where the config says so, and what its heads and
/// `embed` read.
inline std::set<std::string> poolings_of(const Config& c) {
  std::set<std::string> names = {c.pooling};
  for (const std::string& name : c.head_names()) names.insert(c.head(name).pooling);
  names.erase("pooler");
  if (c.pooler) names.insert("pooler");
  return names;
}

/// Their weights, beside the encoder's.
inline void pooling_weights(const Specs& specs, const Config& c) {
  for (const std::string& name : poolings_of(c)) add_weights(pooling_named(name), specs, c);
}

/// The same as a list.
inline std::vector<WeightSpec> pooling_specs(const Config& c) {
  Specs specs;
  pooling_weights(specs.under(encoder_place(c)), c);
  return specs.list();
}

/// The weights of the heads, in the order of their names.
inline void head_weights(const Specs& specs, const Config& c) {
  for (const std::string& name : c.head_names()) {
    const HeadConfig head = c.head(name);
    add_weights(make_head(head), specs.under(head_place(name)), c, head);
  }
}

/// The same as a list.
inline std::vector<WeightSpec> head_specs(const Config& c) {
  Specs specs;
  head_weights(specs, c);
  return specs.list();
}

/// All tensors of a model, in a fixed order: its weights, and what is computed. Throws: as Parts.
inline std::vector<WeightSpec> model_tensors(const Config& c) {
  Specs specs;
  Encoder::weights(specs.under(encoder_place(c)), c, Parts(c));
  pooling_weights(specs.under(encoder_place(c)), c);
  head_weights(specs, c);
  return specs.list();
}

/// Those that its files hold. Throws: as Parts.
inline std::vector<WeightSpec> model_weights(const Config& c) {
  std::vector<WeightSpec> weights = model_tensors(c);
  std::erase_if(weights, [](const WeightSpec& spec) { return !spec.stored; });
  return weights;
}

}  // namespace fnet
