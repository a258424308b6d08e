// Several tasks on one encoder.
#include "train/multi_task.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <map>
#include <set>
#include <string>

#include "fnet/finetune.h"
#include "temporary.h"
#include "train/optimizer.h"
#include "train/task_objective.h"
#include "train/task_schedule.h"

namespace fnet {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

TEST(TaskSchedule, gives_tasks_steps_by_their_size_to_the_power_of_alpha) {
  const std::vector<std::int64_t> sizes = {10'000, 400, 100};
  for (const double alpha : {0.0, 0.3, 0.5, 1.0}) {
    const TaskSchedule schedule(sizes, alpha, 1000, 1);
    double sum = 0;
    for (const std::int64_t size : sizes) sum += std::pow(static_cast<double>(size), alpha);
    std::int64_t all = 0;
    for (std::size_t task = 0; task < sizes.size(); ++task) {
      const double wanted = 1000 * std::pow(static_cast<double>(sizes[task]), alpha) / sum;
      EXPECT_NEAR(static_cast<double>(schedule.steps()[task]), wanted, 1) << alpha << ' ' << task;
      all += schedule.steps()[task];
    }
    EXPECT_EQ(all, 1000);
  }
  // The smallest of tasks is not left out.
  EXPECT_THAT(TaskSchedule(std::vector<std::int64_t>{1'000'000, 1}, 1, 10, 1).steps(),
              ElementsAre(9, 1));
}

TEST(TaskSchedule, is_a_pure_function_of_seed_and_step) {
  const std::vector<std::int64_t> sizes = {900, 100};
  TaskSchedule in_order(sizes, 0.5, 40, 7), other_seed(sizes, 0.5, 40, 8);
  std::map<std::size_t, std::int64_t> had;
  std::vector<std::size_t> order, other;
  for (std::int64_t step = 0; step < 120; ++step) {
    const TaskSchedule::Turn turn = in_order.at(step);
    EXPECT_EQ(turn.step, had[turn.task]++) << step;  // none of a task's own steps is left out
    const TaskSchedule::Turn at_once = TaskSchedule(sizes, 0.5, 40, 7).at(step);
    EXPECT_EQ(at_once.task, turn.task);
    EXPECT_EQ(at_once.step, turn.step);
    order.push_back(turn.task);
    other.push_back(other_seed.at(step).task);
    if (step % 40 == 39) {  // each epoch has the same parts
      EXPECT_EQ(had[0], in_order.steps()[0] * (step + 1) / 40);
    }
  }
  EXPECT_NE(order, other);
  const std::vector<std::size_t> first(order.begin(), order.begin() + 40),
      second(order.begin() + 40, order.begin() + 80);
  EXPECT_NE(first, second);
}

/// A classifier of texts and a tagger on one encoder, with an example each.
struct TwoHeads {
  Tokenizer tokenizer = learn();
  std::shared_ptr<nn::FNetWithHeadImpl> model;
  std::vector<Example> texts, sentences;
  std::vector<Sample> text_samples, word_samples;

  TwoHeads() {
    Config config = Config::preset("tiny");
    config.hidden_size = 16;
    config.intermediate_size = 16;
    config.num_hidden_layers = 1;
    config.vocab_size = tokenizer.vocab_size();
    config.hidden_dropout_prob = 0;
    config.pooler = false;
    config.pooling = "mean";
    config.task = "text-classification";
    config.labels = {"a", "b", "c"};
    config.head_name = "mood";
    config.heads["tags"] = {"token-classification", {"O", "B-X"}, "", "", false};
    model = std::make_shared<nn::FNetWithHeadImpl>(config, 1);
    texts.resize(1);
    texts[0].texts = {"one two three"};
    texts[0].truth = {"b"};
    sentences.resize(1);
    sentences[0].words = {"four", "two"};
    sentences[0].truth = {"O", "B-X"};
    text_samples = {task(0).encode(texts[0], tokenizer, {}, config.head(""))};
    word_samples = {task(1).encode(sentences[0], tokenizer, {}, config.head("tags"))};
  }

  static const Task& task(std::size_t i) {
    return find_task(i == 0 ? "text-classification" : "token-classification");
  }

  static Tokenizer learn() {
    TokenizerTraining training;
    int count = 0;
    training.next_text = [count](std::string& text) mutable {
      text = "one two three four";
      return count++ < 20;
    };
    training.vocab_size = 60;
    training.fewer_pieces = true;
    return train_tokenizer(training);
  }

  std::unique_ptr<TaskObjective> part(std::size_t i) const {
    return std::make_unique<TaskObjective>(task(i), model, tokenizer, i == 0 ? texts : sentences,
                                           i == 0 ? text_samples : word_samples,
                                           TaskObjective::Options{.head = i == 0 ? "" : "tags"});
  }

  /// With every step of one task, in turns of equal parts: at step 0 and 1 or 1 and 0.
  static TaskSchedule schedule() { return {std::vector<std::int64_t>{1, 1}, 0.5, 2, 3}; }

  MultiTaskObjective objective() const {
    std::vector<MultiTaskObjective::Part> parts;
    parts.push_back({"mood", part(0), 0.5, "accuracy"});
    parts.push_back({"tags", part(1), 4, "accuracy"});
    return {std::move(parts), schedule()};
  }

  std::span<const Sample> batch(std::size_t i) const {
    return i == 0 ? text_samples : word_samples;
  }

  using Gradients = std::map<std::string, at::Tensor>;

  /// Those that there are, after which there are none.
  Gradients take_gradients() const {
    Gradients all;
    for (auto& item : model->named_parameters()) {
      if (item.value().grad().defined()) all[item.key()] = item.value().grad().clone();
      item.value().mutable_grad().reset();
    }
    return all;
  }
};

TEST(MultiTask, a_step_teaches_the_encoder_and_the_head_of_its_task_alone) {
  const TwoHeads two;
  MultiTaskObjective objective = two.objective();
  for (std::int64_t step : {0, 1}) {
    const std::size_t drawn = TwoHeads::schedule().at(step).task;
    objective.loss(two.batch(drawn), step).loss.backward();
    const auto found = two.take_gradients();
    // The task's own loss by itself gives these, times its weight, a power of 2: it rounds nothing.
    two.part(drawn)->loss(two.batch(drawn), step).loss.backward();
    const auto own = two.take_gradients();
    ASSERT_EQ(found.size(), own.size());
    double encoder = 0;
    for (const auto& [name, gradient] : found) {
      const at::Tensor wanted = own.at(name) * (drawn == 0 ? 0.5 : 4.0);
      const double rounding = 1e-6 * wanted.abs().max().item<double>();
      EXPECT_TRUE(at::allclose(gradient, wanted, 1e-5, rounding)) << name;
      EXPECT_EQ(name.starts_with("heads.tags."), drawn == 1 && !name.starts_with("fnet.")) << name;
      if (name.starts_with("fnet.encoder.")) encoder += gradient.abs().sum().item<double>();
    }
    EXPECT_GT(encoder, 0);
    EXPECT_EQ(found.contains("classifier.weight"), drawn == 0);
    EXPECT_EQ(found.contains("heads.tags.classifier.weight"), drawn == 1);
  }
}

TEST(MultiTask, steps_of_one_task_leave_the_other_heads_bits) {
  const TwoHeads two;
  MultiTaskObjective objective = two.objective();
  const std::int64_t step = TwoHeads::schedule().at(0).task == 0 ? 0 : 1;
  AdamW optimizer(learners_of(*two.model), {.weight_decay = 0.1});
  const auto weight = [&](const char* name) {
    return two.model->named_parameters()[name].detach().clone();
  };
  const auto tags = weight("heads.tags.classifier.weight"), mood = weight("classifier.weight");
  for (int i = 0; i < 3; ++i) {
    objective.loss(two.batch(0), step).loss.backward();
    EXPECT_TRUE(optimizer.step(0.01));
  }
  EXPECT_TRUE(weight("heads.tags.classifier.weight").equal(tags));
  EXPECT_FALSE(weight("classifier.weight").equal(mood));
}

TEST(MultiTask, an_evaluation_has_every_tasks_metrics_and_their_mean) {
  const TwoHeads two;
  const Evaluation mood = two.part(0)->evaluate(), tags = two.part(1)->evaluate();
  const Evaluation all = two.objective().evaluate();
  EXPECT_EQ(all.metrics.front().first, "mean");
  EXPECT_EQ(all.metric("mean"), (mood.metric("accuracy") + tags.metric("accuracy")) / 2);
  EXPECT_EQ(all.metric("mood.macro_f1"), mood.metric("macro_f1"));
  EXPECT_EQ(all.metric("tags.entity_f1"), tags.metric("entity_f1"));
  EXPECT_EQ(all.count, 3U);
  EXPECT_NEAR(all.loss, (0.5 * mood.loss + 4 * tags.loss) / 2, 1e-9);
  ASSERT_EQ(all.heads.size(), 2U);
  EXPECT_EQ(all.heads[1].head, "tags");
  EXPECT_TRUE(all.heads[1].entities);
}

/// What reading a file of tasks says.
std::string refusal(const std::string& text) {
  const TemporaryDirectory folder;
  const auto file = folder.make("tasks.json", text);
  return message_of([&] {
    FinetuneOptions options;
    options.out = folder.path() / "model";
    load_tasks(file, options);
    finetune(options);
  });
}

TEST(TaskConfig, is_read_with_the_seeds_names_and_paths_beside_the_file) {
  const TemporaryDirectory folder;
  const auto file = folder.make("tasks.json", R"({
    "metric": "tags.accuracy", "alpha": 0.25,
    "tasks": [
      {"name": "tags", "task_type": "NAMED_ENTITY_RECOGNITION", "train": "a.conll", "loss_weight": 2,
       "head_options": {"intermediate_size": 24, "norm_type": "layer_norm"}},
      {"name": "mood", "task_type": "sentiment_analysis", "train": "/b.tsv", "dev": "c.tsv", "main": true,
       "num_classes": 2, "use_attention_pooling": true, "columns": {"label": "stars"}}
    ]})");
  FinetuneOptions options;
  options.token_dropout = 0.3;
  options.skip_bad_lines = true;
  load_tasks(file, options);
  ASSERT_EQ(options.tasks.size(), 2U);
  const NamedTask &mood = options.tasks[0], &tags = options.tasks[1];
  EXPECT_EQ(mood.name, "mood");
  EXPECT_EQ(mood.task, "sentiment_analysis");
  EXPECT_EQ(mood.train, "/b.tsv");
  EXPECT_EQ(mood.dev, folder.path() / "c.tsv");
  EXPECT_EQ(mood.pooling, "attention");
  EXPECT_EQ(mood.num_labels, 2);
  EXPECT_EQ(mood.columns.label, "stars");
  EXPECT_EQ(mood.columns.text, "text");
  EXPECT_EQ(tags.train, folder.path() / "a.conll");
  EXPECT_EQ(tags.weight, 2);
  EXPECT_EQ(tags.head_options,
            (PartOptions{{"intermediate_size", std::int64_t{24}}, {"norm_type", "layer_norm"}}));
  EXPECT_TRUE(mood.head_options.empty());
  EXPECT_EQ(tags.token_dropout, 0.3);  // as the options have it for one task
  EXPECT_TRUE(tags.skip_bad_lines);
  EXPECT_EQ(options.alpha, 0.25);
  EXPECT_EQ(options.metric, "tags.accuracy");
}

TEST(TaskConfig, says_what_is_wrong_with_it) {
  const auto task = [](const std::string& more) {
    return R"({"tasks": {"mood": {"train": "none.tsv")" + more + "}}}";
  };
  EXPECT_THAT(refusal("[]"), HasSubstr("tasks.json: expected an object with tasks"));
  EXPECT_THAT(refusal(R"({"tasks": {}})"), HasSubstr("tasks: expected at least one"));
  EXPECT_THAT(refusal(R"({"tasks": 3})"), HasSubstr("tasks: expected an object"));
  EXPECT_THAT(refusal(R"({"tasks": {"mood": 3}})"), HasSubstr("tasks.mood: expected an object"));
  EXPECT_THAT(refusal(R"({"tasks": {"mood": {}}, "alhpa": 1})"), HasSubstr("expected train"));
  EXPECT_THAT(refusal(R"({"alhpa": 1, "tasks": {"mood": {"train": "x"}}})"),
              HasSubstr("found 'alhpa'; did you mean 'alpha'?"));
  EXPECT_THAT(refusal(R"({"tasks": {"mood": {"train": "x"}, "mood": {"train": "x"}}})"),
              HasSubstr("each key once"));
  EXPECT_THAT(refusal(R"({"tasks": [{"name": "a", "train": "x"}, {"name": "a", "train": "x"}]})"),
              HasSubstr("tasks: expected each name once, found 'a' twice"));
  EXPECT_THAT(refusal(R"({"tasks": [{"train": "x"}]})"), HasSubstr("tasks[0]: expected a name"));
  EXPECT_THAT(refusal(R"({"tasks": {"a.b": {"train": "x"}}})"), HasSubstr("letters, digits"));
  EXPECT_THAT(refusal(R"({"tasks": {"all": {"train": "x"}}})"),
              HasSubstr("another name than 'all'"));
  EXPECT_THAT(refusal(R"({"alpha": 1.5, "tasks": {"mood": {"train": "x"}}})"),
              HasSubstr("alpha: expected 0 to 1, found 1.5"));
  EXPECT_THAT(
      refusal(
          R"({"tasks": {"a": {"train": "x", "main": true}, "b": {"train": "x", "main": true}}})"),
      HasSubstr("tasks.b: expected one main task, found 'a' before it"));
  EXPECT_THAT(refusal(task(R"(, "trian": 1)")), HasSubstr("found 'trian'; did you mean 'train'?"));
  EXPECT_THAT(refusal(task(R"(, "weight": 0)")), HasSubstr("mood: weight: expected more than 0"));
  EXPECT_THAT(refusal(task(R"(, "weight": "2")")),
              HasSubstr("tasks.mood.weight: expected a number"));
  EXPECT_THAT(refusal(task(R"(, "weight": 2, "loss_weight": 2)")),
              HasSubstr("expected weight once, found it again"));
  EXPECT_THAT(refusal(task(R"(, "columns": {"lable": "x"})")), HasSubstr("did you mean 'label'?"));
  EXPECT_THAT(refusal(task(R"(, "use_crf": true)")), HasSubstr("tasks.mood.use_crf stands for"));
  EXPECT_THAT(refusal(task(R"(, "max_length": 9)")), HasSubstr("--max-length"));
  EXPECT_THAT(refusal(task(R"(, "task": "text-generation")")),
              AllOf(HasSubstr("mood: task: 'text-generation'"), HasSubstr("an encoder does not")));
  EXPECT_THAT(refusal(task(R"(, "token_dropout": 2)")),
              HasSubstr("mood: token_dropout: expected -1 to 0.95, found 2"));
  EXPECT_THAT(refusal(task(R"(, "metric": "bleu")")), HasSubstr("mood: metric: expected one of"));
  EXPECT_THAT(refusal(task("")), HasSubstr("none.tsv"));
  EXPECT_THAT(refusal(R"({"tasks": {"a": {"train": "x"}, "b": {"train": "x", "wide": "on"}}})"),
              HasSubstr("b: wide: expected auto or off for a head beside the model's own"));
}

TEST(Finetune, refuses_data_of_one_task_beside_several) {
  FinetuneOptions options;
  options.out = "unused";
  options.tasks.resize(1);
  options.tasks[0].name = "mood";
  options.tasks[0].train = "x.tsv";
  options.train = "y.tsv";
  EXPECT_THAT(message_of([&] { finetune(options); }), HasSubstr("train: expected none beside"));
}

}  // namespace
}  // namespace fnet
