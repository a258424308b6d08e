#include "blocks/head_layers.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <set>
#include <string>

#include "blocks/model.h"
#include "fnet/engine.h"
#include "models.h"

namespace fnet {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::IsSupersetOf;
using namespace testing_models;

Config with_head(const std::string& task, const PartOptions& options) {
  Config config = small_config();
  config.task = task, config.labels = {"a", "b", "c"}, config.pooling = "mean";
  config.head_options = options;
  return config;
}

std::set<std::string> names_of(const Config& config) {
  std::set<std::string> names;
  for (const WeightSpec& spec : model_weights(config)) names.insert(spec.name);
  return names;
}

std::string message_of(const Config& config) {
  try {
    model_weights(config);
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

TEST(HeadLayers, are_left_out_unless_asked_for) {
  Config plain = with_head("text-classification", {});
  for (const std::string& name : names_of(plain)) EXPECT_EQ(name.find("head_layers"), name.npos);
  EXPECT_THAT(
      names_of(with_head("text-classification", {{"norm_type", "layer_norm"},
                                                 {"intermediate_size", std::int64_t{20}},
                                                 {"ffn_type", "mlp"}})),
      IsSupersetOf({"head_layers.LayerNorm.weight", "head_layers.dense.weight",
                    "head_layers.dense_LayerNorm.bias", "head_layers.ffn.output.dense.weight"}));
}

// Hugging Face's class would read such a model without its layers.
TEST(HeadLayers, make_a_model_of_our_own_type) {
  const Config config = with_head("token-classification", {{"norm_type", "rms_norm"}});
  EXPECT_THAT(config.to_json(), HasSubstr("\"model_type\": \"fnet-cpp\""));
  EXPECT_EQ(Config::from_json(config.to_json(), "config.json").head_options, config.head_options);
}

TEST(HeadLayers, of_one_head_say_nothing_of_another) {
  Config config = with_head("token-classification", {{"intermediate_size", std::int64_t{24}}});
  HeadConfig& mood = config.heads["mood"];
  mood.task = "text-classification", mood.labels = {"good", "bad"}, mood.pooling = "cls";
  mood.options = {{"intermediate_size", std::int64_t{8}}, {"hidden_act", "relu"}};
  EXPECT_EQ(Config::from_json(config.to_json(), "config.json").heads, config.heads);
  std::map<std::string, std::int64_t> read;  // columns that each last map reads
  for (const WeightSpec& spec : model_weights(config)) {
    if (spec.name.ends_with("classifier.weight")) read[spec.name] = spec.shape[1];
  }
  EXPECT_EQ(read, (std::map<std::string, std::int64_t>{{"classifier.weight", 24},
                                                       {"heads.mood.classifier.weight", 8}}));
  const Engine engine(config, lively_weights());
  const auto texts = random_encodings(3, 9, config, 1);
  const auto scores = engine.all_scores(texts);
  EXPECT_EQ(scores.at("mood").at(0).cols, 2U);
  EXPECT_EQ(scores.at("token-classification").at(0).rows, texts[0].input_ids.size());
}

// Rows are picked before the layers, but where these look at a whole text.
TEST(HeadLayers, score_picked_rows_as_all_of_them) {
  for (const PartOptions& options :
       {PartOptions{{"intermediate_size", std::int64_t{24}}, {"norm_type", "layer_norm"}},
        PartOptions{{"num_attention_heads", std::int64_t{4}}},
        PartOptions{{"ffn_type", "counting"}}}) {
    const Config config = with_head("token-classification", options);
    const Engine engine(config, lively_weights());
    const auto texts = random_encodings(2, 12, config, 3);
    const auto all = engine.scores(texts);
    std::vector<std::vector<std::int32_t>> picks;
    for (const Matrix& text : all) picks.push_back({static_cast<std::int32_t>(text.rows) - 1});
    const auto last = engine.scores(texts, picks);
    for (std::size_t i = 0; i < all.size(); ++i) {
      EXPECT_LT(relative_error(last[i].row(0), all[i].row(all[i].rows - 1)), 2e-6);
    }
  }
}

TEST(HeadLayers, that_do_not_fit_are_refused_with_what_would) {
  EXPECT_THAT(
      message_of(with_head("text-classification", {{"num_attention_heads", std::int64_t{2}}})),
      AllOf(HasSubstr("head_options"), HasSubstr("one vector a text")));
  EXPECT_THAT(message_of(with_head("text-classification", {{"ffn_type", "counting"}})),
              HasSubstr("counting"));
  EXPECT_THAT(
      message_of(with_head("token-classification", {{"num_attention_heads", std::int64_t{5}}})),
      AllOf(HasSubstr("divisor of the head's width (48)"), HasSubstr("found 5")));
  EXPECT_THAT(message_of(with_head("token-classification", {{"intermediate", std::int64_t{5}}})),
              HasSubstr("did you mean 'intermediate_size'"));
  EXPECT_THAT(message_of(with_head("fill-mask", {{"norm_type", "layer_norm"}})),
              AllOf(HasSubstr("head_options"), HasSubstr("fill-mask")));
  EXPECT_THAT(message_of(with_head("sentence-similarity", {{"similarity", "learned"}})),
              AllOf(HasSubstr("cosine, dot"), HasSubstr("learned")));
  Config encoder = with_head("encoder", {{"norm_type", "layer_norm"}});
  encoder.labels.clear();
  EXPECT_THAT(message_of(encoder), HasSubstr("a model without a head"));
}

}  // namespace
}  // namespace fnet
