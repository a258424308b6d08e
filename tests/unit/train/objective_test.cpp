// What a step gets, and what it learns from it.
#include "train/task_objective.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>

#include "train/source.h"

namespace fnet {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

Sample sample_of(std::vector<std::int32_t> ids, std::int32_t target) {
  Sample sample;
  Encoding& text = sample.texts.emplace_back();
  text.token_type_ids.resize(ids.size());
  text.input_ids = std::move(ids);
  sample.units = {0};
  sample.targets = {target};
  return sample;
}

TEST(MemorySource, gives_each_sample_once_an_epoch_wherever_it_begins) {
  std::vector<Sample> samples;
  std::vector<std::size_t> lines;
  for (std::int32_t i = 0; i < 7; ++i) {
    samples.push_back(sample_of({i}, 0));
    lines.push_back(static_cast<std::size_t>(i) + 10);
  }
  MemorySource source(samples, lines, "a.tsv", 3, 1);
  EXPECT_EQ(source.epoch_steps(), 3);
  std::vector<std::vector<std::int32_t>> steps;
  for (std::int64_t step = 0; step < 6; ++step) {
    for (const Sample& sample : source.batch(step)) {
      steps.resize(static_cast<std::size_t>(step) + 1);
      steps.back().push_back(sample.texts[0].input_ids[0]);
    }
  }
  for (const std::size_t epoch : {0, 3}) {
    std::set<std::int32_t> seen;
    for (std::size_t i = epoch; i < epoch + 3; ++i) seen.insert(steps[i].begin(), steps[i].end());
    EXPECT_EQ(seen.size(), 7U);
  }
  MemorySource later(samples, lines, "a.tsv", 3, 1);
  EXPECT_EQ(later.batch(4)[0].texts[0].input_ids[0], steps[4][0]);
  EXPECT_EQ(later.place(4).substr(0, 12), "a.tsv lines ");
  EXPECT_THAT(later.place(4), HasSubstr(std::to_string(steps[4][0] + 10)));
}

TEST(Batches, hold_every_sample_once_and_like_lengths_together) {
  std::vector<Sample> samples(500);
  for (std::size_t i = 0; i < samples.size(); ++i)
    samples[i].texts.emplace_back().input_ids.resize(1 + i * 7 % 90);
  const auto batches = make_batches(samples, 32, 1, 1);
  EXPECT_EQ(batches, make_batches(samples, 32, 1, 1));
  EXPECT_NE(batches, make_batches(samples, 32, 1, 2));
  EXPECT_NE(batches, make_batches(samples, 32, 2, 1));
  std::vector<int> seen(samples.size(), 0);
  std::size_t spread = 0;
  for (const auto& batch : batches) {
    std::size_t low = 1000, high = 0;
    for (const std::size_t i : batch) {
      ++seen[i];
      low = std::min(low, tokens_of(samples[i]));
      high = std::max(high, tokens_of(samples[i]));
    }
    spread = std::max(spread, high - low);
  }
  EXPECT_TRUE(std::ranges::all_of(seen, [](int n) { return n == 1; }));
  EXPECT_LT(spread, 20U);
}

TEST(TaskObjective, balanced_weights_are_scikit_learns) {
  std::vector<Sample> samples(4);
  for (std::size_t i = 0; i < 4; ++i) samples[i].targets = {i == 0 ? 1 : 0};
  const std::vector<double> weights = balanced_weights(samples, 3);
  EXPECT_NEAR(weights[0], 4.0 / 9, 1e-12);
  EXPECT_NEAR(weights[1], 4.0 / 3, 1e-12);
  EXPECT_EQ(weights[2], 0);
}

/// A classifier of three classes, and samples of its own.
struct Classifier {
  Tokenizer tokenizer;
  std::shared_ptr<nn::FNetWithHeadImpl> model;
  std::vector<Sample> samples;
  std::vector<Example> examples;

  explicit Classifier(double dropout = 0) : tokenizer(learn()) {
    Config config = Config::preset("tiny");
    config.hidden_size = 16;
    config.intermediate_size = 16;
    config.num_hidden_layers = 1;
    config.vocab_size = tokenizer.vocab_size();
    config.hidden_dropout_prob = dropout;
    config.task = "text-classification";
    config.labels = {"a", "b", "c"};
    model = std::make_shared<nn::FNetForSequenceClassificationImpl>(config, 1);
    const Task& task = find_task(config.task);
    for (const auto& [text, label] : {std::pair("one two three four", "a"),
                                      {"two three", "b"},
                                      {"four four one three two one", "c"}}) {
      Example& example = examples.emplace_back();
      example.texts = {text};
      example.truth = {label};
      samples.push_back(task.encode(example, tokenizer, {}, config.head("")));
    }
  }

  static Tokenizer learn() {
    TokenizerTraining training;
    int texts = 0;
    training.next_text = [texts](std::string& text) mutable {
      text = "one two three four";
      return texts++ < 20;
    };
    training.vocab_size = 60;
    training.fewer_pieces = true;
    return train_tokenizer(training);
  }

  TaskObjective objective(const TaskObjective::Options& options) const {
    return {find_task("text-classification"), model, tokenizer, examples, samples, options};
  }
};

TEST(TaskObjective, its_loss_is_the_mean_over_the_samples_one_by_one) {
  const Classifier toy;
  TaskObjective objective = toy.objective({.class_weights = {}});
  double sum = 0;
  for (const Sample& sample : toy.samples) {
    sum += objective.loss(std::span(&sample, 1), 0).loss.item<double>();
  }
  const Objective::Result all = objective.loss(toy.samples, 0);
  EXPECT_NEAR(all.loss.item<double>(), sum / 3, 1e-5);
  std::size_t tokens = 0;
  for (const Sample& sample : toy.samples) tokens += tokens_of(sample);
  EXPECT_EQ(all.tokens, static_cast<std::int64_t>(tokens));
  EXPECT_NEAR(objective.evaluate().loss, sum / 3, 1e-5);
}

TEST(TaskObjective, the_losses_of_a_steps_parts_add_up_to_its_own) {
  const Classifier toy;
  for (const std::vector<double>& weights : {std::vector<double>(), {0.5, 1, 2}}) {
    TaskObjective objective = toy.objective({.label_smoothing = 0.1, .class_weights = weights});
    const double whole = objective.loss(toy.samples, 0).loss.item<double>();
    const std::vector<double> terms = objective.terms(toy.samples, 0);
    double sum = 0;
    for (const std::int64_t part : {0, 1}) {
      const auto [begin, end] = part_of(3, part, 2);
      const auto own =
          std::span(toy.samples)
              .subspan(static_cast<std::size_t>(begin), static_cast<std::size_t>(end - begin));
      sum += objective.loss(own, {0, begin, terms}).loss.item<double>();
    }
    EXPECT_NEAR(sum, whole, 1e-6);
  }
}

TEST(TaskObjective, what_it_drops_follows_from_the_seed_and_the_step) {
  const Classifier plain, with_dropout(0.5);
  for (const Classifier* toy : {&plain, &with_dropout}) {
    const double share = toy == &plain ? 0.5 : 0;  // tokens, or what the modules drop
    toy->model->train();
    const auto loss = [&](std::uint64_t seed, std::int64_t step) {
      torch::rand({1});  // another state of torch's generator
      return toy->objective({.token_dropout = share, .class_weights = {}, .seed = seed})
          .loss(toy->samples, step)
          .loss.item<double>();
    };
    EXPECT_EQ(loss(1, 7), loss(1, 7));
    EXPECT_NE(loss(1, 7), loss(1, 8));
    EXPECT_NE(loss(1, 7), loss(2, 7));
  }
}

TEST(TaskObjective, follows_its_model_to_another_type) {
  const Classifier toy;
  TaskObjective objective = toy.objective({.label_smoothing = 0.1, .class_weights = {0.5, 1, 2}});
  const double in_float = objective.loss(toy.samples, 0).loss.item<double>();
  const double dev = objective.evaluate().loss;
  toy.model->to(at::kDouble);
  const at::Tensor loss = objective.loss(toy.samples, 0).loss;
  EXPECT_EQ(loss.scalar_type(), at::kDouble);
  EXPECT_NEAR(loss.item<double>(), in_float, 1e-5);
  EXPECT_NEAR(objective.evaluate().loss, dev, 1e-5);
}

}  // namespace
}  // namespace fnet
