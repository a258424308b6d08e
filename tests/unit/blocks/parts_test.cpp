#include "blocks/parts.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "blocks/model.h"
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

TEST(Weights, stand_where_hugging_face_has_them_and_mixers_under_their_own_name) {
  Config config;
  config.num_hidden_layers = 1;
  config.task = "text-classification";
  config.labels = {"a", "b"};
  config.heads["topic"] = {"text-classification", {"x", "y", "z"}, "mean"};
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
