#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "core/json.h"
#include "fnet/config.h"
#include "model/allowed.h"
#include "model/kinds.h"

namespace fnet {

/// Most labels of a head, and their bytes together.
constexpr std::int64_t kMaxLabels = 1'000'000;
constexpr std::uint64_t kMaxLabelBytes = std::uint64_t{4} << 20;
/// Of config.json, as it is written and read: room for the most labels, twice and escaped.
constexpr std::uint64_t kMaxConfigBytes = std::uint64_t{128} << 20;
constexpr JsonLimits kConfigLimits{.max_values = 8 * kMaxLabels, .max_bytes = kMaxConfigBytes};

/// Of a text classifier, in Hugging Face's words.
inline Allowed problem_types() {
  return Allowed::one_of(
      {"single_label_classification", "multi_label_classification", "regression"});
}

/// The one list of config.json's keys that are plain values; reading, writing, --set, describe and
/// validate walk it. `architectures`, `id2label` and `label2id` are read by themselves.
template <class Visit>
void config_fields(Visit&& field) {
  using C = Config;
  const auto range = Allowed::range;
  field("vocab_size", &C::vocab_size, range(1, 4'000'000), "pieces in the vocabulary");
  field("hidden_size", &C::hidden_size, range(1, 65'536), "width of a row");
  field("num_hidden_layers", &C::num_hidden_layers, range(1, 1'024), "encoder blocks");
  field("intermediate_size", &C::intermediate_size, range(1, 262'144),
        "width inside the feed-forward");
  field("hidden_act", &C::hidden_act, Allowed::one_of(activation_kinds()), "activation of the mlp");
  field("hidden_dropout_prob", &C::hidden_dropout_prob, range(0, 0.999), "dropout in training");
  field("max_position_embeddings", &C::max_position_embeddings, range(1, 1'000'000),
        "rows of the position table: the longest text");
  field("type_vocab_size", &C::type_vocab_size, range(1, 64), "token types (segments)");
  field("initializer_range", &C::initializer_range, range(0, 10),
        "standard deviation of new weights");
  field("layer_norm_eps", &C::layer_norm_eps, range(1e-14, 1e-2), "epsilon of the norms");
  field("pad_token_id", &C::pad_token_id, range(0, 4'000'000), "id of padding rows");
  field("bos_token_id", &C::bos_token_id, range(0, 4'000'000), "kept for transformers");
  field("eos_token_id", &C::eos_token_id, range(0, 4'000'000), "kept for transformers");
  field("tie_word_embeddings", &C::tie_word_embeddings, Allowed::any(),
        "whether a masked language model scores tokens by the table of word embeddings");
  field(
      "input_type", &C::input_type, Allowed::one_of({"tokens", "dna", "vectors", "patches"}),
      "what the model reads: tokens of texts, letters of DNA, rows of numbers, patches of images");
  field("kmer_size", &C::kmer_size, range(1, 8), "of dna: letters in a token");
  field("input_size", &C::input_size, range(1, 65'536), "of vectors: numbers in a step");
  field("patch_length", &C::patch_length, range(1, 65'536), "of vectors: steps in a row");
  field("patch_stride", &C::patch_stride, range(0, 65'536),
        "of vectors: steps from one row's start to the next's; 0: patch_length");
  field("image_size", &C::image_size, range(1, 65'536),
        "of patches: height of an image in pixels, and its width");
  field("image_width", &C::image_width, range(0, 65'536),
        "of patches: the width, where it is another; 0: image_size");
  field("patch_size", &C::patch_size, range(1, 4'096), "of patches: pixels along a side");
  field("num_channels", &C::num_channels, range(1, 4'096), "of patches: numbers in a pixel");
  field("fourier_norm", &C::fourier_norm, Allowed::one_of({"backward", "ortho"}),
        "scale of the transform: none (Google), or 1/sqrt(L H) (the Keras seed)");
  field("embedding_projection", &C::embedding_projection, Allowed::any(),
        "a linear map after the embeddings' norm");
  field("embedding_norm_eps", &C::embedding_norm_eps, range(0, 1e-2),
        "epsilon of the embeddings' norm; 0: layer_norm_eps");
  field("pooler", &C::pooler, Allowed::any(), "whether the model has pooler weights");
  field("norm_type", &C::norm_type, Allowed::one_of(norm_kinds()), "norm");
  field("norm_position", &C::norm_position, Allowed::one_of({"post", "pre"}),
        "norms after each sum, or before each branch with one at the end");
  field("ffn_type", &C::ffn_type, Allowed::one_of(ffn_kinds()), "feed-forward");
  field("ffn_dropout", &C::ffn_dropout, Allowed::one_of({"output", "inner", "both"}),
        "dropout of the feed-forward: after it (Hugging Face), before its last map (the Keras "
        "seed), or both (Swin)");
  field("position_embedding", &C::position_embedding, Allowed::one_of({"learned", "sinusoidal"}),
        "a table that is trained, or sines and cosines without weights");
  field("drop_path_rate", &C::drop_path_rate, range(0, 0.999),
        "stochastic depth: the share of texts for which training skips a branch, from 0 in the "
        "first layer to this in the last");
  field(
      "mixers", &C::mixers, Allowed::one_of(mixer_kinds()),
      "mixer: one name, one for each layer, or bottom:N, middle:N, mixed:N or top:N: attention in "
      "N layers there, fourier in the others");
  field("norm_options", &C::norm_options, Allowed::any(), "options of the norm");
  field("ffn_options", &C::ffn_options, Allowed::any(), "options of the feed-forward");
  field("mixer_options", &C::mixer_options, Allowed::any(), "options of the mixers");
  field("head_options", &C::head_options, Allowed::any(),
        "options of the model's own head: layers before its last map");
  field("length_policy", &C::length_policy, Allowed::any(),
        "rows that a text is mixed over: exact, fixed:N or batch");
  field("problem_type", &C::problem_type, problem_types(),
        "of a text classifier; empty: regression where it has one label, else single label");
  field("no_answer", &C::no_answer, Allowed::any(),
        "of question answering: whether a question may have no answer");
  field("head_name", &C::head_name, Allowed::any(),
        "name of the model's own head, beside those of heads");
  field("pooling", &C::pooling, Allowed::one_of(pooling_kinds()),
        "the vector that stands for a text");
  field("wide_features", &C::wide_features, range(0, 1'000'000),
        "words and pairs of words that a wide head knows; 0: no wide head");
}

/// The input type that a key is an option of; empty: of none.
inline std::string_view input_type_of(std::string_view key) {
  if (key == "kmer_size") return "dna";
  if (key == "input_size" || key == "patch_length" || key == "patch_stride") return "vectors";
  if (key.starts_with("image_") || key == "patch_size" || key == "num_channels") return "patches";
  return {};
}

/// Their names, in that order.
inline std::vector<std::string_view> config_keys() {
  std::vector<std::string_view> keys;
  config_fields(
      [&](std::string_view name, auto, const Allowed&, std::string_view) { keys.push_back(name); });
  return keys;
}

}  // namespace fnet
