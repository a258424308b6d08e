#include "blocks/parts.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <string>
#include <tuple>
#include <utility>

#include "blocks/model.h"
#include "model/init.h"
#include "model/kinds.h"
#include "temporary.h"

namespace fnet {
namespace {

using testing::AllOf;
using testing::HasSubstr;

TEST(Parts, are_those_that_the_config_names_with_their_options) {
  Config config;
  config.norm_type = "rms_norm";
  config.ffn_type = "swiglu";
  config.hidden_act = "silu";
  config.num_hidden_layers = 2;
  config.mixers = {"identity", "fourier"};
  config.ffn_options["bias"] = true;
  const Parts parts(config);
  EXPECT_TRUE(std::holds_alternative<RmsNorm>(parts.norm));
  ASSERT_TRUE(std::holds_alternative<SwiGlu>(parts.ffn));
  EXPECT_TRUE(std::get<SwiGlu>(parts.ffn).bias);
  EXPECT_EQ(parts.activation, Activation::silu);
  EXPECT_EQ(row_of(parts.mixer(0)).name, "identity");
  EXPECT_EQ(row_of(parts.mixer(1)).name, "fourier");
  EXPECT_EQ(row_of(parts.mixer(1)).reach, Reach::text);
}

TEST(Parts, refuse_options_that_no_part_has_or_allows) {
  Config config;
  config.ffn_options["bias"] = true;
  EXPECT_THAT(message_of([&] { Parts{config}; }), AllOf(HasSubstr("mlp"), HasSubstr("'bias'")));
  config.ffn_type = "swiglu";
  EXPECT_NO_THROW(Parts{config});
  config.ffn_options["bias"] = std::int64_t{1};
  EXPECT_THAT(message_of([&] { Parts{config}; }),
              AllOf(HasSubstr("ffn_options.bias"), HasSubstr("true or false"), HasSubstr("'1'")));
  config.ffn_options = {{"baias", true}};
  EXPECT_THAT(message_of([&] { Parts{config}; }), HasSubstr("did you mean 'bias'"));
  config.ffn_options.clear();
  config.mixer_options["width"] = 2.0;
  EXPECT_THAT(message_of([&] { Parts{config}; }), HasSubstr("mixer_options"));
}

TEST(Parts, heads_divide_the_hidden_size) {
  Config config;
  Attention attention;
  EXPECT_EQ(attention.heads(config), 12);
  for (const auto& [hidden, heads] : {std::pair{1024, 16}, {256, 4}, {37, 1}, {200, 2}, {128, 2}}) {
    config.hidden_size = hidden;
    EXPECT_EQ(attention.heads(config), heads) << hidden;
  }
  config = Config();
  config.mixers = {"top:2"};
  config.mixer_options["num_attention_heads"] = std::int64_t{7};
  EXPECT_THAT(message_of([&] { model_weights(config); }),
              AllOf(HasSubstr("num_attention_heads"), HasSubstr("hidden_size (768)"),
                    HasSubstr("found 7")));
}

TEST(Parts, list_their_options_for_people) {
  const auto options = part_options();
  const auto bias = std::ranges::find_if(
      options, [](const PartOption& o) { return o.part == "swiglu" && o.name == "bias"; });
  ASSERT_NE(bias, options.end());
  EXPECT_EQ(bias->key, "ffn_options");
  EXPECT_EQ(bias->value, "false");
  EXPECT_EQ(bias->allowed, "true or false");
}

TEST(Parts, know_what_they_cost) {
  Config config;
  const double ffn = 2.0 * 2 * 768 * 3072, projection = 2.0 * 768 * 768;
  EXPECT_EQ(Encoder::operations(config, Parts(config), 512), 12 * ffn + projection);
  config.ffn_type = "swiglu";
  config.embedding_projection = false;
  EXPECT_EQ(Encoder::operations(config, Parts(config), 512), 12 * 1.5 * ffn);
  config.ffn_type = "mlp";
  config.mixers = {"attention"};  // four projections, scores and sums of 512 rows
  EXPECT_EQ(Encoder::operations(config, Parts(config), 512),
            12 * (ffn + 4 * projection + 2.0 * 2 * 512 * 768));
  config.mixers = {"linear"};
  EXPECT_EQ(Encoder::operations(config, Parts(config), 512),
            12 * (ffn + projection + 2.0 * 512 * 768));
}

TEST(Weights, of_attention_have_berts_names_and_random_ones_are_buffers) {
  Config config;
  config.num_hidden_layers = 3;
  config.mixers = {"attention", "random", "linear"};
  std::map<std::string, WeightSpec> specs;
  for (const WeightSpec& spec : model_weights(config)) specs[spec.name] = spec;
  for (const char* name : {"self.query", "self.key", "self.value", "output.dense"}) {
    const std::string place = std::string("encoder.layer.0.attention.") + name;
    EXPECT_THAT(specs[place + ".weight"].shape, testing::ElementsAre(768, 768)) << place;
    EXPECT_THAT(specs[place + ".bias"].shape, testing::ElementsAre(768)) << place;
  }
  for (const bool trained : {false, true}) {
    const std::string place = std::string("encoder.layer.") + (trained ? "2.linear" : "1.random");
    EXPECT_THAT(specs[place + ".sequence.weight"].shape, testing::ElementsAre(512, 512));
    EXPECT_THAT(specs[place + ".hidden.weight"].shape, testing::ElementsAre(768, 768));
    EXPECT_EQ(specs[place + ".sequence.weight"].trained, trained);
    EXPECT_EQ(specs[place + ".hidden.weight"].trained, trained);
  }
}

TEST(Parts, refuse_options_that_do_not_fit_the_config_at_once) {
  Config config;
  config.ffn_type = "monarch";
  EXPECT_NO_THROW(Parts{config});
  config.ffn_options["blocks"] = std::int64_t{5};
  EXPECT_THAT(message_of([&] { Parts{config}; }), AllOf(HasSubstr("divisor"), HasSubstr("768")));
  config.ffn_options.clear();
  config.ffn_type = "differential";
  config.intermediate_size = 33;
  EXPECT_THAT(message_of([&] { Parts{config}; }), HasSubstr("even"));
}

std::int64_t parameters(const Config& config) {
  std::int64_t sum = 0;
  for (const WeightSpec& spec : model_weights(config)) {
    std::int64_t size = 1;
    for (const std::int64_t n : spec.shape) size *= n;
    sum += size;
  }
  return sum;
}

TEST(Parameters, of_the_variants_are_those_of_hugging_face_and_of_the_seed) {
  EXPECT_EQ(parameters(Config::preset("base")), 82'861'056);
  EXPECT_EQ(parameters(Config::preset("large")), 236'945'408);
  for (const auto& [variant, count] :
       {std::pair("large", 233'330'688), std::pair("base", 80'543'232),
        std::pair("small", 28'502'016), std::pair("tiny", 9'001'472)}) {
    Config config = Config::preset(variant);
    config.vocab_size = 30522;
    config.type_vocab_size = 2;
    config.embedding_projection = config.pooler = false;
    config.pooling = "mean";
    EXPECT_EQ(parameters(config), count) << variant;
  }
  // Its tests count two DFT matrices a block too, which nothing here has.
  for (const auto& [vocabulary, positions, with_matrices] :
       {std::tuple(512, 16, 1'718'272), std::tuple(100'277, 128, 27'415'808)}) {
    Config config = Config::preset("tiny");
    config.vocab_size = vocabulary;
    config.max_position_embeddings = positions;
    config.type_vocab_size = 2;
    config.embedding_projection = config.pooler = false;
    config.pooling = "mean";
    const std::int64_t matrices = 4 * 2 * (positions * positions + 256 * 256);
    EXPECT_EQ(parameters(config), with_matrices - matrices);
  }
}

TEST(Parameters, of_every_feed_forward_and_norm_follow_from_its_formula) {
  constexpr std::int64_t h = 64, f = 160, r = f / 4;
  Config config;
  config.hidden_size = h;
  config.intermediate_size = f;
  config.num_hidden_layers = 1;
  const std::int64_t before = parameters(config);
  const std::map<std::string, std::int64_t> ffns = {
      {"mlp", 2 * h * f + f + h},
      {"swiglu", 3 * h * f},
      {"glu", 3 * h * f + 2 * f + h},
      {"reglu", 3 * h * f + 2 * f + h},
      {"geglu", 3 * h * f + 2 * f + h},
      {"bilinear", 3 * h * f + 2 * f + h},
      {"residual", 2 * h * f + f + h + h * h + h},
      {"lowrank", 2 * r * (h + f) + f + h},
      {"differential", 2 * (h * f + f + 2 * f + f * f / 2 + f / 2) + f / 2 + f / 2 * h + h},
      {"monarch", 2 * (h * h + h * f) / 4 + f + h},
      {"power_mlp", 2 * h * h + h},
      {"orthoglu", 2 * h * f + 2 * f + f * h + h + h},
      {"kan", 9 * h * h},
      {"logic", 2 * (h * f + f) + 3 * h + 3 + f * h + h},
      {"counting", h * f + f + 2 * f * h + h + h * h + h}};
  ASSERT_EQ(ffns.size(), ffn_kinds().size());
  for (const KindRow& row : ffn_kinds()) {
    config.ffn_type = row.name;
    EXPECT_EQ(parameters(config) - before, ffns.at(config.ffn_type) - ffns.at("mlp")) << row.name;
  }
  config.ffn_type = "mlp";
  const std::map<std::string, std::int64_t> norms = {{"layer_norm", 2 * h},
                                                     {"rms_norm", h},
                                                     {"zero_centered_rms_norm", h},
                                                     {"band_rms", 1},
                                                     {"zero_centered_band_rms", 1},
                                                     {"adaptive_band_rms", 2 * h},
                                                     {"zero_centered_adaptive_band_rms", 2 * h},
                                                     {"batch_norm", 4 * h},
                                                     {"bias_free_batch_norm", 2 * h},
                                                     {"global_response_norm", 2 * h},
                                                     {"logit_norm", 0},
                                                     {"max_logit_norm", 0},
                                                     {"band_logit_norm", 2},
                                                     {"dynamic_tanh", 2 * h + 1},
                                                     {"energy_layer_norm", h + 1},
                                                     {"none", 0}};
  ASSERT_EQ(norms.size(), norm_kinds().size());
  for (const KindRow& row : norm_kinds()) {
    config.norm_type = row.name;  // three of them: the embeddings' and the block's
    EXPECT_EQ(parameters(config) - before, 3 * (norms.at(config.norm_type) - 2 * h)) << row.name;
  }
  config = Config();
  config.position_embedding = "sinusoidal";
  EXPECT_EQ(parameters(Config()) - parameters(config), 512 * 768);
}

TEST(Parameters, start_with_the_deviation_of_the_config) {
  Config config;
  config.vocab_size = 200;
  config.hidden_size = 64;
  config.intermediate_size = 160;
  config.num_hidden_layers = 2;
  config.task = "text-classification";
  for (int i = 0; i < 40; ++i) config.labels.push_back(std::to_string(i));
  for (const char* ffn : {"mlp", "glu", "swiglu"}) {
    config.ffn_type = ffn;
    std::size_t matrices = 0;
    for (const WeightSpec& spec : model_weights(config)) {
      if (spec.shape.size() != 2) continue;
      double square = 0;
      const auto values = initial_values(spec, 0.05, 1);
      for (const float v : values) square += double{v} * v;
      const auto n = static_cast<double>(values.size());
      EXPECT_NEAR(std::sqrt(square / n), 0.05, 0.05 * 4 / std::sqrt(2 * n)) << ffn << spec.name;
      ++matrices;
    }
    EXPECT_GE(matrices, 3U + 2 + 2 * 2 + 1);  // tables, projection and pooler, maps, head
  }
}

TEST(SwiGlu, takes_its_width_from_a_factor_as_the_seed_does) {
  struct Case {
    std::int64_t hidden;
    double factor;
    std::int64_t multiple, width;
  };
  for (const Case& c : {Case{512, 4, 256, 1536}, Case{768, 4, 256, 2048}, Case{1024, 8, 512, 5632},
                        Case{256, 4, 64, 704}, Case{128, 2, 32, 192}}) {
    Config config;
    config.hidden_size = c.hidden;
    SwiGlu swiglu;
    EXPECT_EQ(swiglu.width(config), config.intermediate_size);
    swiglu.expansion_factor = c.factor;
    swiglu.multiple_of = c.multiple;
    EXPECT_EQ(swiglu.width(config), c.width);
  }
}

TEST(Weights, stand_where_hugging_face_has_them_and_mixers_under_their_own_name) {
  Config config;
  config.num_hidden_layers = 1;
  config.task = "text-classification";
  config.labels = {"a", "b"};
  config.heads["topic"] = {"text-classification", {"x", "y", "z"}, "mean", "", false};
  std::vector<std::string> names;
  for (const WeightSpec& spec : model_weights(config)) {
    names.push_back(spec.name);
    if (spec.name == "heads.topic.classifier.weight") {
      EXPECT_THAT(spec.shape, testing::ElementsAre(3, 768));
      EXPECT_TRUE(spec.product);
    }
  }
  EXPECT_THAT(names, testing::IsSupersetOf({"fnet.encoder.layer.0.fourier.output.LayerNorm.weight",
                                            "fnet.encoder.layer.0.output.dense.bias",
                                            "fnet.pooler.dense.weight", "classifier.weight",
                                            "heads.topic.classifier.bias"}));
}

}  // namespace
}  // namespace fnet
