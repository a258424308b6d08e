#include "tasks/fill_mask.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <utility>

#include "temporary.h"

namespace fnet {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

const Task& task() { return find_task("fill-mask"); }

HeadConfig head() {
  HeadConfig head;
  head.task = "fill-mask";
  return head;
}

Tokenizer tokenizer() {
  TokenizerTraining training;
  training.next_text = [told = false](std::string& text) mutable {
    text = "a fine warm film with a warm heart";
    return !std::exchange(told, true);
  };
  training.vocab_size = 40;
  training.fewer_pieces = true;
  return train_tokenizer(training);
}

Example text(std::string value) {
  Example example;
  example.line = 3;
  example.texts = {std::move(value)};
  return example;
}

TEST(FillMask, picks_the_rows_of_the_masks) {
  const Tokenizer own = tokenizer();
  const Sample sample = task().encode(text("a [MASK] film with [MASK]"), own, {}, head());
  ASSERT_EQ(sample.picks.size(), 1U);
  ASSERT_EQ(sample.picks[0].size(), 2U);
  for (const std::int32_t row : sample.picks[0]) {
    EXPECT_EQ(sample.texts[0].input_ids[static_cast<std::size_t>(row)], own.special().mask);
  }
  EXPECT_THAT(sample.units, ElementsAre(0, 1));
  EXPECT_TRUE(sample.targets.empty());
}

TEST(FillMask, has_no_answer_where_truncation_cut_a_mask_off) {
  const Tokenizer own = tokenizer();
  EncodeOptions short_texts;
  short_texts.max_length = 4;
  const auto units = [&](const std::string& value) {
    return task().encode(text(value), own, short_texts, head()).units;
  };
  EXPECT_THAT(units("[MASK] a fine warm film [MASK] [MASK]"), ElementsAre(0, -1, -1));
  EXPECT_THAT(units("a fine warm film [MASK]"), ElementsAre(-1));
  const Example cut = text("a fine warm film [MASK]");
  const Sample sample = task().encode(cut, own, short_texts, head());
  const Matrix none(0, 40);
  const Answer answer =
      task().answer(cut, sample, {&none, 1}, head(), {.top_k = 2, .tokenizer = &own});
  ASSERT_EQ(answer.size(), 1U);
  EXPECT_TRUE(answer[0].empty());
  EXPECT_EQ(task().tsv(cut, answer), "3\n");
  EXPECT_EQ(task().json(cut, answer), "{\"line\":3,\"masks\":[[]]}\n");
}

TEST(FillMask, refuses_texts_without_a_mask_and_labelled_ones) {
  const Tokenizer own = tokenizer();
  EXPECT_THAT(message_of([&] { task().encode(text("a fine film"), own, {}, head()); }),
              HasSubstr("expected at least one [MASK], found none"));
  EXPECT_THAT(message_of([] { task().reading({}, true); }),
              HasSubstr("a masked language model learns from plain text"));
  EXPECT_THAT(message_of([] { task().scorer(head()); }), HasSubstr("fnet pretrain"));
  EXPECT_NO_THROW(task().reading({}, false));
}

TEST(FillMask, answers_with_tokens_their_probability_and_the_text) {
  const Tokenizer own = tokenizer();
  const Example example = text("a [MASK] film");
  const Sample sample = task().encode(example, own, {}, head());
  const auto vocabulary = static_cast<std::size_t>(own.vocab_size());
  Matrix scores(1, vocabulary);
  const std::int32_t best = own.vocab_size() - 1, second = best - 1;  // ordinary pieces
  scores.data[static_cast<std::size_t>(best)] = 3;
  scores.data[static_cast<std::size_t>(second)] = 2;
  const auto ask = [&](const AnswerOptions& options) {
    return task().answer(example, sample, {&scores, 1}, head(), options);
  };
  EXPECT_THAT(message_of([&] { ask({}); }), HasSubstr("tokenizer: expected the model's"));
  const Answer answer = ask({.top_k = 2, .tokenizer = &own});
  ASSERT_EQ(answer.size(), 1U);
  ASSERT_EQ(answer[0].size(), 2U);
  const double sum = std::exp(3.0) + std::exp(2.0) + static_cast<double>(vocabulary - 2);
  const std::string word = own.decode({&best, 1});
  std::vector<std::int32_t> filled = sample.texts[0].input_ids;
  std::ranges::replace(filled, own.special().mask, best);
  EXPECT_EQ(answer[0][0].token, best);
  EXPECT_EQ(answer[0][0].label, word);
  EXPECT_EQ(answer[0][0].sequence, own.decode(filled));
  EXPECT_NEAR(answer[0][0].score, std::exp(3.0) / sum, 1e-6);
  EXPECT_EQ(answer[0][1].token, second);
  EXPECT_NEAR(answer[0][1].score, std::exp(2.0) / sum, 1e-6);
  EXPECT_THAT(task().tsv(example, answer), testing::StartsWith("3\t" + word + "\t0."));
  const auto json = nlohmann::json::parse(task().json(example, answer));
  EXPECT_EQ(json["masks"][0][0]["token_str"], word);
  EXPECT_EQ(json["masks"][0][1]["token"], second);
}

TEST(FillMask, head_has_no_labels_in_the_config) {
  Config config;
  config.task = "fill-mask";
  EXPECT_NO_THROW(config.validate());
  const std::string json = config.to_json();
  EXPECT_THAT(json, HasSubstr("FNetForMaskedLM"));
  EXPECT_THAT(json, testing::Not(HasSubstr("id2label")));
  EXPECT_EQ(Config::from_json(json, "config.json"), config);
  // transformers' default is two labels, which a masked language model does not have.
  const Config theirs = Config::from_json(
      R"({"architectures": ["FNetForMaskedLM"], "id2label": {"0": "LABEL_0", "1": "LABEL_1"}})",
      "config.json");
  EXPECT_TRUE(theirs.labels.empty());
  const Config both = Config::from_json(R"({"architectures": ["FNetForPreTraining"]})", "c");
  EXPECT_EQ(both.task, "fill-mask");
  EXPECT_EQ(both.head("seq_relationship").task, "next-sentence-prediction");
  EXPECT_THAT(both.to_json(), HasSubstr("FNetForPreTraining"));
  EXPECT_THAT(both.to_json(), testing::Not(HasSubstr("heads")));
  EXPECT_EQ(Config::from_json(both.to_json(), "config.json"), both);
  Config classifier = both;
  classifier.task = "text-classification";
  classifier.labels = {"a", "b"};
  EXPECT_THROW(classifier.validate(), Error);
}

}  // namespace
}  // namespace fnet
