// A new head on a model to start from begins as the best fit to what its encoder makes of texts.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "fnet/engine.h"
#include "fnet/train.h"
#include "train/head_fit.h"
#include "train/linear_fit.h"
#include "words.h"

namespace fnet {
namespace {

using testing::HasSubstr;
using testing::Not;

/// A model of two labels, and a run that starts from it for two others.
struct Start : Words {
  std::string log;

  explicit Start(const std::string& dev_and_train = texts_of(0)) {
    options.wide = "off";
    options.epochs = 2;
    options.learning_rate = 1e-2;
    finetune(options);
    options.from = options.out;
    options.out = directory.path() / "next";
    options.epochs = 1;
    options.learning_rate = 0;  // what is fitted stays as it is
    options.train = directory.make("new.tsv", dev_and_train);
    options.dev = directory.make("new-dev.tsv", dev_and_train);
  }

  /// Texts whose label, or number, follows their last word: `kind` 0 labels, 1 several, 2 numbers.
  static std::string texts_of(int kind) {
    std::string file = "text\tlabel\n";
    for (int i = 0; i < 90; ++i) {
      const int end = i % 3;
      const std::vector<std::string> labels = {"one", "two", "three"};
      file += "word" + std::to_string(i % 7) + " end" + std::to_string(end) + '\t';
      if (kind == 0) file += labels[static_cast<std::size_t>(end)];
      if (kind == 1) file += end == 0 ? "" : end == 1 ? "two" : "two,three";
      if (kind == 2) file += std::to_string(end) + ".5";
      file += '\n';
    }
    return file;
  }

  TrainingReport run() {
    TrainingCallbacks callbacks;
    log.clear();
    callbacks.log = [&](std::string_view line) { log += std::string(line) + "\n"; };
    return finetune(options, callbacks);
  }
};

TEST(HeadFit, is_where_training_starts_and_what_it_has_to_beat) {
  Start start;
  const TrainingReport report = start.run();
  EXPECT_THAT(start.log, HasSubstr("head: fitted to 90 vectors"));
  ASSERT_TRUE(report.start.has_value());
  EXPECT_GT(*report.start, 0.9);  // without one step
  EXPECT_EQ(report.best_epoch, 0);
  EXPECT_EQ(report.best, *report.start);
}

TEST(HeadFit, is_the_minimum_of_the_logistic_loss_over_the_encoders_vectors) {
  Start start;
  start.run();
  // Of a softmax's minimum each class has as much probability over the training texts as it has
  // texts: the bias counts nothing.
  const Engine engine = Engine::load(start.options.out);
  std::vector<TextInput> texts;
  for (int i = 0; i < 90; ++i)
    texts.emplace_back("word" + std::to_string(i % 7) + " end" + std::to_string(i % 3));
  std::map<std::string, double> mass;
  for (const auto& answer : engine.classify(texts, 3)) {
    for (const Prediction& p : answer) mass[p.label] += p.score;
  }
  ASSERT_EQ(mass.size(), 3U);
  for (const auto& [label, sum] : mass) EXPECT_NEAR(sum, 30, 0.3) << label;
}

TEST(HeadFit, can_be_left_out_and_leaves_a_frozen_head_alone) {
  Start start;
  start.options.fit_head = "off";
  EXPECT_FALSE(start.run().start.has_value());
  EXPECT_THAT(start.log, Not(HasSubstr("fitted")));
  start.options.fit_head = "auto";
  start.options.freeze = {"classifier"};
  start.options.out = start.directory.path() / "frozen";
  EXPECT_FALSE(start.run().start.has_value());
}

TEST(HeadFit, is_not_for_a_head_that_fits_already) {
  Start start;
  start.options.train = start.directory.make("same.tsv", Words::texts(0, 60));
  start.options.dev = start.options.train;
  EXPECT_TRUE(start.run().start.has_value());
  EXPECT_THAT(start.log, Not(HasSubstr("fitted")));
}

TEST(HeadFit, serves_several_labels_and_numbers) {
  Start several(Start::texts_of(1));
  several.options.problem_type = "multi_label_classification";
  EXPECT_GT(*several.run().start, 0.9);
  Start numbers(Start::texts_of(2));
  numbers.options.problem_type = "regression";
  numbers.options.metric = "pearson";
  EXPECT_GT(*numbers.run().start, 0.7);  // the encoder has seen two epochs of other texts
}

TEST(HeadFit, begins_each_of_several_heads) {
  Start start;
  NamedTask first, second;
  static_cast<TaskOptions&>(first) = start.options;
  first.name = "first";
  second = first;
  second.name = "second";
  start.options.tasks = {first, second};
  start.options.train.clear(), start.options.dev.clear();
  const TrainingReport report = start.run();
  EXPECT_THAT(start.log, HasSubstr("head: fitted to 90 vectors"));
  EXPECT_THAT(start.log, HasSubstr("head second: fitted to 90 vectors"));
  EXPECT_GT(*report.start, 0.9);
}

TEST(HeadFit, ends_early_where_the_caller_says_so) {
  Start start;
  TrainingCallbacks callbacks;
  callbacks.stop = [] { return true; };
  callbacks.log = [&](std::string_view line) { start.log += line; };
  EXPECT_TRUE(finetune(start.options, callbacks).interrupted);
  EXPECT_THAT(start.log, Not(HasSubstr("fitted")));
}

TEST(LinearFit, has_the_same_bits_for_any_number_of_threads) {
  std::mt19937 random(1);
  std::normal_distribution<float> normal;
  Bags bags;
  LinearTargets targets{.scores = 5};
  for (int text = 0; text < 3000; ++text) {
    for (std::int32_t j = 0; j < 300; ++j)
      bags.ids.push_back(j), bags.values.push_back(normal(random));
    bags.offsets.push_back(static_cast<std::int64_t>(bags.ids.size()));
    targets.classes.push_back(text % 5);
  }
  const int before = at::get_num_threads();
  std::vector<LinearFit> fits;
  for (const int threads : {1, 2, 4}) {
    at::set_num_threads(threads);
    fits.push_back(fit_linear(bags, 300, targets, {.most_steps = 5}));
  }
  at::set_num_threads(before);
  for (const LinearFit& fit : fits) {
    EXPECT_EQ(fit.weight, fits[0].weight);
    EXPECT_EQ(fit.bias, fits[0].bias);
  }
}

}  // namespace
}  // namespace fnet
