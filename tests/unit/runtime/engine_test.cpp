#include "fnet/engine.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "models.h"
#include "temporary.h"

namespace fnet {
namespace {

using testing::HasSubstr;
using namespace testing_models;

Engine classifier() {
  Config config = small_config();
  config.task = "text-classification";
  config.labels = {"a", "b", "c"};
  return Engine(config, lively_weights());
}

TEST(Engine, refuses_ids_types_and_lengths_that_do_not_fit) {
  const Engine engine(small_config(), lively_weights());
  const auto run = [&](std::vector<std::int32_t> ids, std::vector<std::int32_t> types) {
    Encoding text;
    text.input_ids = std::move(ids);
    text.token_type_ids = std::move(types);
    return message_of([&] { engine.forward(std::span(&text, 1)); });
  };
  EXPECT_THAT(run({100}, {0}), HasSubstr("0 to 99"));
  EXPECT_THAT(run({-1}, {0}), HasSubstr("found -1"));
  EXPECT_THAT(run({1}, {4}), HasSubstr("token_type_ids[0]"));
  EXPECT_THAT(run({1, 2}, {0}), HasSubstr("expected as many"));
  EXPECT_THAT(run({}, {}), HasSubstr("at least one token"));
  EXPECT_THAT(run(std::vector<std::int32_t>(161, 1), {}), HasSubstr("at most 160"));
  EXPECT_EQ(run(std::vector<std::int32_t>(160, 1), {}), "no error");
}

TEST(Engine, classify_gives_the_best_labels_with_probabilities) {
  const Engine engine = classifier();
  const auto texts = random_encodings(4, 20, engine.config(), 2);
  for (const auto& labels : engine.classify(std::span<const Encoding>(texts), 5)) {
    ASSERT_EQ(labels.size(), 3U);
    float sum = 0;
    for (const Prediction& p : labels) sum += p.score;
    EXPECT_NEAR(sum, 1.0F, 1e-6F);
    EXPECT_GE(labels[0].score, labels[1].score);
    EXPECT_GE(labels[1].score, labels[2].score);
  }
  EXPECT_EQ(engine.classify(std::span<const Encoding>(texts), 1)[0].size(), 1U);
  const std::vector<std::vector<std::string>> sentence = {{"x"}};
  EXPECT_THAT(message_of([&] { engine.tag(sentence); }), HasSubstr("labels words"));
  EXPECT_THAT(message_of([&] { engine.scores(texts, {}, "other"); }), HasSubstr("'other'"));
  EXPECT_THAT(message_of([&] { engine.encode("x"); }), HasSubstr("no tokenizer"));
}

TEST(Engine, embed_offers_every_pooling_and_normalizes) {
  const Engine engine = classifier();
  const auto texts = random_encodings(3, 20, engine.config(), 4);
  const auto hidden = engine.forward(texts);
  const Matrix cls = engine.embed(texts, "cls");
  const Matrix mean = engine.embed(texts, "mean");
  const Matrix max = engine.embed(texts, "max");
  const Matrix unit = engine.embed(texts, "mean", true);
  for (std::size_t i = 0; i < texts.size(); ++i) {
    double square = 0;
    for (std::size_t c = 0; c < hidden[i].cols; ++c) {
      float sum = 0, top = hidden[i].row(0)[c];
      for (std::size_t r = 0; r < hidden[i].rows; ++r) {
        sum += hidden[i].row(r)[c];
        top = std::max(top, hidden[i].row(r)[c]);
      }
      EXPECT_NEAR(cls.row(i)[c], hidden[i].row(0)[c], 1e-5F);
      EXPECT_NEAR(mean.row(i)[c], sum / static_cast<float>(hidden[i].rows), 1e-5F);
      EXPECT_EQ(max.row(i)[c], top);
      square += double{unit.row(i)[c]} * unit.row(i)[c];
    }
    EXPECT_NEAR(square, 1.0, 1e-6);
  }
  EXPECT_THAT(message_of([&] { engine.embed(texts, "median"); }), HasSubstr("found 'median'"));
}

TEST(Engine, the_first_row_alone_equals_the_first_row_of_the_whole) {
  for (const char* position : {"post", "pre"}) {
    for (const char* mixer : {"fourier", "identity"}) {
      Config config = small_config();
      config.norm_position = position;
      config.mixers = {mixer};
      const Engine engine(config, lively_weights());
      const auto texts = random_encodings(5, 40, config, 8);
      const auto hidden = engine.forward(texts);
      const Matrix first = engine.embed(texts, "cls");
      for (std::size_t i = 0; i < texts.size(); ++i) {
        EXPECT_LT(relative_error(first.row(i), hidden[i].row(0)), 3e-6) << position << mixer;
      }
    }
  }
}

TEST(Engine, an_empty_batch_gives_an_empty_answer) {
  const Engine engine = classifier();
  EXPECT_TRUE(engine.forward({}).empty());
  EXPECT_EQ(engine.embed(std::span<const Encoding>()).rows, 0U);
}

}  // namespace
}  // namespace fnet
