// Answers about texts that are read in windows.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "fnet/engine.h"
#include "fnet/error.h"
#include "models.h"

namespace fnet {
namespace {

using namespace testing_models;

Engine engine_for(const std::string& task, EngineOptions options = {}) {
  const Tokenizer tokenizer = Tokenizer::load(FNET_SOURCE_DIR "/tests/golden/text/bpe.model");
  Config config = small_config();
  config.vocab_size = tokenizer.vocab_size();
  config.task = task;
  config.pooling = "mean";
  if (config.has_head()) config.labels = {"a", "b", "c"};
  return Engine(config, lively_weights(), options, tokenizer);
}

EngineOptions windows() {
  EngineOptions options;
  options.max_length = 24, options.stride = 4, options.truncation = Truncation::windows;
  return options;
}

std::string long_text() {
  std::string text;
  for (int i = 0; i < 60; ++i) text += "word " + std::to_string(i * 7919) + " ";
  return text;
}

TEST(Windows, are_averaged_in_labels_and_vectors) {
  const Engine engine = engine_for("text-classification", windows());
  const std::string text = long_text();
  const std::vector<Encoding> parts = engine.encode_windows(text);
  ASSERT_GT(parts.size(), 5U);
  EXPECT_THROW(engine.encode(text), Error);

  const auto scores = engine.scores(parts);
  std::vector<double> mean(3);
  for (const Matrix& one : scores) {
    for (std::size_t c = 0; c < 3; ++c) mean[c] += one.data[c] / static_cast<double>(scores.size());
  }
  const auto best = static_cast<std::size_t>(std::ranges::max_element(mean) - mean.begin());
  double sum = 0;
  for (const double score : mean) sum += std::exp(score - mean[best]);
  const std::vector<TextInput> texts = {text, "a short one", text};
  const auto answers = engine.classify(texts);
  EXPECT_EQ(answers[0][0].label, std::string(1, static_cast<char>('a' + best)));
  EXPECT_NEAR(answers[0][0].score, 1 / sum, 1e-6);
  EXPECT_EQ(answers[0][0].score, answers[2][0].score);
  // A text that fits has the answer that it has without windows.
  const Engine plain = engine_for("text-classification");
  EXPECT_EQ(answers[1][0].score, plain.classify(std::span(texts).subspan(1, 1))[0][0].score);

  const Matrix vectors = engine.embed(texts), of_parts = engine.embed(parts);
  for (std::size_t i = 0; i < vectors.cols; ++i) {
    double value = 0;
    for (std::size_t p = 0; p < parts.size(); ++p) value += of_parts.row(p)[i];
    EXPECT_NEAR(vectors.row(0)[i], value / static_cast<double>(parts.size()), 1e-6);
  }
  const Matrix unit = engine.embed(texts, {}, true);
  double length = 0;
  for (const float x : unit.row(0)) length += static_cast<double>(x) * x;
  EXPECT_NEAR(length, 1, 1e-6);
}

TEST(Windows, leave_no_word_of_a_long_sentence_without_a_tag) {
  std::vector<std::string> words;
  for (int i = 0; i < 200; ++i) words.push_back(i % 3 == 0 ? "river" : "unbelievable");
  const std::vector<std::vector<std::string>> sentences = {words};
  EngineOptions options = windows();
  const auto tags = engine_for("token-classification", options).tag(sentences)[0];
  for (const Prediction& tag : tags) EXPECT_FALSE(tag.label.empty());
  options.truncation = Truncation::longest_first;
  EXPECT_TRUE(engine_for("token-classification", options).tag(sentences)[0].back().label.empty());
}

}  // namespace
}  // namespace fnet
