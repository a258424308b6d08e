#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "fnet/engine.h"
#include "models.h"
#include "temporary.h"
#include "text/ngrams.h"

namespace fnet {
namespace {

using testing::HasSubstr;
using namespace testing_models;

const std::vector<std::string> kTexts = {"a good film", "", "GOOD!", "no such word"};

/// A classifier that knows the words of kTexts[0]; `keys` in place of theirs.
Engine wide_classifier(std::vector<float> keys = {}) {
  if (keys.empty()) {
    for (const NgramCount& ngram : count_ngrams(kTexts[0]))
      keys.push_back(static_cast<float>(ngram.key));
  }
  Config config = small_config();
  config.task = "text-classification";
  config.labels = {"a", "b", "c"};
  config.wide_features = static_cast<std::int64_t>(keys.size());
  return Engine(config, [keys](const std::string& name, std::span<const std::int64_t> shape) {
    if (name == "wide.keys") return keys;
    if (name == "wide.idf") return std::vector<float>(keys.size(), 1);
    return lively_weights()(name, shape);
  });
}

std::vector<Encoding> encodings(const Config& config) {
  std::vector<Encoding> texts = random_encodings(kTexts.size(), 20, config, 3);
  for (std::size_t i = 0; i < texts.size(); ++i) texts[i].ngrams = count_ngrams(kTexts[i]);
  return texts;
}

TEST(WideHead, adds_the_sum_of_its_known_words_to_a_share_of_the_scores) {
  const Engine wide = wide_classifier();
  Config config = wide.config();
  config.wide_features = 0;
  const Engine deep(config, lively_weights());
  const auto texts = encodings(config);
  const auto sum = wide.scores(texts), part = deep.scores(texts);
  const std::vector<float> bias = lively_weights()("wide.bias", std::vector<std::int64_t>{3});
  const std::vector<float> table = lively_weights()("wide.weight", std::vector<std::int64_t>{5, 3});
  const float share = lively_weights()("wide.deep_scale", std::vector<std::int64_t>{1})[0];
  for (std::size_t c = 0; c < 3; ++c) {
    double words = 0;  // five n-grams of one count each: all alike
    for (std::size_t row = 0; row < 5; ++row) words += double{table[row * 3 + c]} / std::sqrt(5.0);
    EXPECT_NEAR(sum[0].row(0)[c] - share * part[0].row(0)[c], words + double{bias[c]}, 1e-5);
    for (const std::size_t unknown : {1, 3})
      EXPECT_NEAR(sum[unknown].row(0)[c] - share * part[unknown].row(0)[c], bias[c], 1e-5);
  }
}

TEST(WideHead, answers_a_text_alike_whatever_stands_beside_it) {
  const Engine engine = wide_classifier();
  const auto texts = encodings(engine.config());
  const auto together = engine.scores(texts);
  for (std::size_t i = 0; i < texts.size(); ++i) {
    EXPECT_EQ(engine.scores(std::span(texts).subspan(i, 1))[0].data, together[i].data);
  }
}

TEST(WideHead, refuses_texts_whose_words_were_not_counted) {
  const Engine engine = wide_classifier();
  auto texts = encodings(engine.config());
  texts[1].ngrams.reset();
  EXPECT_THAT(message_of([&] { engine.scores(texts); }), HasSubstr("Engine::encode"));
  EXPECT_EQ(message_of([&] { engine.embed(texts); }), "no error");
}

TEST(WideHead, refuses_damaged_keys_and_heads_that_have_none) {
  EXPECT_THAT(message_of([] { wide_classifier({2, 1}); }), HasSubstr("wide.keys"));
  Config config = small_config();
  config.wide_features = 3;
  EXPECT_THAT(message_of([&] { config.validate(); }), HasSubstr("wide_features: expected 0"));
  config.task = "text-classification";
  config.labels = {"a", "b"};
  for (const char* type : {"multi_label_classification", "single_label_classification"}) {
    config.problem_type = type;
    EXPECT_EQ(message_of([&] { config.validate(); }), "no error");
  }
  config.problem_type = "";
  config.task = "token-classification";
  EXPECT_THAT(message_of([&] { Engine(config, lively_weights()); }),
              HasSubstr("wide_features: expected 0 for token-classification"));
}

}  // namespace
}  // namespace fnet
