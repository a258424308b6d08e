#pragma once

#include <cmath>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "core/random.h"
#include "fnet/engine.h"
#include "model/init.h"
#include "model/kinds.h"

namespace fnet::testing_models {

/// A small model with every part, for tests that do not care which.
inline Config small_config() {
  Config config;
  config.vocab_size = 100;
  config.hidden_size = 48;
  config.num_hidden_layers = 3;
  config.intermediate_size = 80;
  config.max_position_embeddings = 160;
  return config;
}

/// Values with some life in them: norms near 1, biases not 0, so that a mix-up shows.
inline WeightSource lively_weights(std::uint64_t seed = 1) {
  return [seed](const std::string& name, std::span<const std::int64_t> shape) {
    WeightSpec spec{name, {shape.begin(), shape.end()}, Init::normal()};
    std::vector<float> values = initial_values(spec, shape.size() == 1 ? 0.1 : 0.2, seed);
    if (name.ends_with("LayerNorm.weight") || name.ends_with(".running_var") ||
        name.ends_with(".std")) {
      for (float& v : values) v += 1.0F;
    }
    return values;
  };
}

/// Every row of the tables, one change at a time, with post- and pre-norm.
inline std::vector<Config> every_row(Config base = small_config()) {
  std::vector<Config> configs;
  for (const char* position : {"post", "pre"}) {
    base.norm_position = position;
    const auto add = [&](auto&& change) { configs.push_back(base), change(configs.back()); };
    for (const KindRow& row : norm_kinds()) add([&](Config& c) { c.norm_type = row.name; });
    for (const KindRow& row : ffn_kinds()) add([&](Config& c) { c.ffn_type = row.name; });
    for (const KindRow& row : mixer_kinds())
      add([&](Config& c) { c.mixers = {std::string(row.name)}; });
    for (const KindRow& row : pooling_kinds()) add([&](Config& c) { c.pooling = row.name; });
    for (const KindRow& row : activation_kinds()) add([&](Config& c) { c.hidden_act = row.name; });
    for (const KindRow& row : task_kinds()) {
      add([&](Config& c) {
        c.task = row.name;
        if (c.has_head() && has_labels(c.task)) c.labels = {"a", "b", "c"};
      });
    }
    add([](Config& c) { c.mixers = {"fourier", "identity", "fourier"}; });
    add([](Config& c) {
      c.mixers = {"top:1"};
      c.mixer_options["num_attention_heads"] = std::int64_t{2};
    });
    add([](Config& c) { c.fourier_norm = "ortho"; });
    add([](Config& c) { c.position_embedding = "sinusoidal"; });
    add([](Config& c) { c.norm_options["bias"] = false; });
    add([](Config& c) { c.norm_type = "rms_norm", c.norm_options["scale"] = false; });
    add([](Config& c) { c.ffn_type = "glu", c.ffn_options["bias"] = false; });
    for (const char* scope : {"causal", "global"}) {
      add([&](Config& c) { c.ffn_type = "counting", c.ffn_options["scope"] = std::string(scope); });
    }
    add([](Config& c) { c.ffn_type = "kan", c.ffn_options["order"] = std::int64_t{2}; });
    add([](Config& c) { c.fourier_norm = "ortho", c.mixers = {"hartley"}; });
    add([](Config& c) {
      c.mixers = {"gfilter"};
      c.mixer_options["frequencies"] = std::int64_t{4};
    });
    add([](Config& c) { c.embedding_projection = false, c.embedding_norm_eps = 1e-3; });
    add([](Config& c) { c.pooler = false, c.pooling = "mean"; });
    const auto add_head = [&](const char* task, const PartOptions& options) {
      add([&](Config& c) { c.task = task, c.labels = {"a", "b", "c"}, c.head_options = options; });
    };
    add_head("text-classification",
             {{"norm_type", "layer_norm"}, {"intermediate_size", std::int64_t{20}}});
    add_head("token-classification", {{"norm_type", "rms_norm"},
                                      {"intermediate_size", std::int64_t{24}},
                                      {"hidden_act", "tanh"},
                                      {"num_attention_heads", std::int64_t{2}},
                                      {"ffn_type", "swiglu"}});
    add_head("question-answering", {{"ffn_type", "counting"}});
    add_head("multiple-choice", {{"ffn_type", "mlp"}, {"ffn_expansion_factor", std::int64_t{2}}});
    add_head("sentence-similarity", {{"similarity", "dot"}});
    add([](Config& c) { c.hidden_size = 37, c.intermediate_size = 53; });
    add([](Config& c) { c.input_type = "vectors", c.input_size = 3, c.patch_length = 2; });
    add([](Config& c) {
      c.input_type = "patches";
      c.image_size = 4, c.patch_size = 2, c.num_channels = 1;
    });
  }
  return configs;
}

/// The same model, of which training drops nothing.
inline Config without_dropout(Config config) {
  config.hidden_dropout_prob = 0;
  for (std::int64_t layer = 0; layer < config.num_hidden_layers; ++layer) {
    if (config.mixer(layer) == "attention")
      config.mixer_options["attention_probs_dropout_prob"] = 0.0;
  }
  return config;
}

/// A text of `tokens` random tokens, or so many rows of random numbers.
inline Encoding random_encoding(Philox& random, std::size_t tokens, const Config& config) {
  Encoding encoding;
  if (config.reads_numbers()) {
    encoding.vectors = Matrix(tokens, config.input_shape().row_size());
    for (float& value : encoding.vectors.data) value = random.normal();
    return encoding;
  }
  for (std::size_t i = 0; i < tokens; ++i) {
    encoding.input_ids.push_back(
        static_cast<std::int32_t>(random.below(static_cast<std::uint64_t>(config.vocab_size))));
    encoding.token_type_ids.push_back(static_cast<std::int32_t>(random.below(2)));
  }
  return encoding;
}

/// `count` texts of 1 to `longest` tokens.
inline std::vector<Encoding> random_encodings(std::size_t count, std::size_t longest,
                                              const Config& config, std::uint64_t seed) {
  Philox random(seed, 0);
  std::vector<Encoding> texts;
  for (std::size_t i = 0; i < count; ++i) {
    texts.push_back(random_encoding(random, 1 + random.below(longest), config));
  }
  return texts;
}

/// ‖a − b‖ / ‖b‖.
inline double relative_error(std::span<const float> a, std::span<const float> b) {
  double difference = 0, size = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    difference += (double{a[i]} - b[i]) * (double{a[i]} - b[i]);
    size += double{b[i]} * b[i];
  }
  return std::sqrt(difference / size);
}

}  // namespace fnet::testing_models
