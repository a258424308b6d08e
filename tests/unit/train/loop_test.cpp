#include "train/loop.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>

#include "temporary.h"
#include "train/task_objective.h"

namespace fnet {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

/// Four steps an epoch, of nothing.
struct NoData : Source {
  std::int64_t epoch_steps() const override { return 4; }
  std::vector<Sample> batch(std::int64_t step) override {
    steps.push_back(step);
    return {};
  }
  std::string place(std::int64_t step) override { return "place " + std::to_string(step); }

  std::vector<std::int64_t> steps;
};

/// A number that is to become 3; the metric is how near it is.
struct Number : Objective {
  Number() { value = module.register_parameter("value", at::full({1}, 0.0)); }

  torch::nn::Module& model() override { return module; }

  Result loss(std::span<const Sample> /*batch*/, const StepPart& part) override {
    const at::Tensor loss = (value - 3).square().sum();
    return {bad_steps.contains(part.step) ? loss * kNaN : loss, 1};
  }

  Evaluation evaluate() override {
    const double off = std::abs(value.item<double>() - 3);
    Evaluation evaluation;
    evaluation.loss = broken ? kNaN : off;
    evaluation.metrics = {{"nearness", -off}};
    return evaluation;
  }

  torch::nn::Module module;
  at::Tensor value;
  std::set<std::int64_t> bad_steps;
  bool broken = false;
};

/// Keeps what it is told.
struct Memory : Saver {
  void log(std::string_view kind, std::int64_t step,
           const std::vector<std::pair<std::string, double>>& values) override {
    lines.push_back(std::string(kind) + "@" + std::to_string(step));
    for (const auto& [name, value] : values) EXPECT_FALSE(name.empty()) << value;
  }
  void save(const TrainingReport& report, const Evaluation& best) override {
    saved.push_back(*report.best_epoch);
    EXPECT_EQ(best.metric("nearness"), report.best);
  }
  void update(const TrainingReport& /*report*/, const Evaluation& /*best*/) override { ++updates; }
  bool holds_model() const override { return older || !saved.empty(); }
  void checkpoint(std::int64_t step, const nlohmann::json& /*state*/,
                  const NamedTensors& /*tensors*/) override {
    checkpoints.push_back(step);
  }
  const nlohmann::json& resumed() const override { return nothing; }
  void restore(const NamedTensors& /*tensors*/) override { FAIL(); }
  void restore_best() override { FAIL(); }

  std::vector<std::string> lines;
  std::vector<std::int64_t> saved, checkpoints;
  int updates = 0;
  bool older = false;
  nlohmann::json nothing;
};

struct Toy {
  NoData source;
  Number objective;
  Memory saver;
  TrainingCallbacks callbacks;
  LoopOptions options;

  Toy() {
    options.stages = {{.epochs = 3}};
    options.learning_rate = 0.3;
    options.optimizer.weight_decay = 0;
    options.metric = "nearness";
  }

  TrainingReport run() { return Loop(options, source, objective, saver, callbacks).run(); }
};

TEST(Loop, keeps_of_epochs_with_one_metric_that_of_the_lowest_loss) {
  struct Same : Number {
    Evaluation evaluate() override {
      Evaluation evaluation = Number::evaluate();
      evaluation.loss = losses.at(next++);
      evaluation.metrics = {{"nearness", 0.5}};
      return evaluation;
    }
    std::vector<double> losses = {2, 1, 3};
    std::size_t next = 0;
  };
  Toy toy;
  Same same;
  const TrainingReport report = Loop(toy.options, toy.source, same, toy.saver, toy.callbacks).run();
  EXPECT_EQ(report.best_epoch, 2);
  EXPECT_EQ(report.best_loss, 1);
}

TEST(Loop, trains_step_by_step_and_saves_each_better_model) {
  Toy toy;
  std::vector<std::int64_t> progress;
  toy.callbacks.progress = [&](const TrainingProgress& p) {
    progress.push_back(p.step);
    EXPECT_EQ(p.steps, 12);
  };
  const TrainingReport report = toy.run();
  EXPECT_THAT(toy.source.steps, ElementsAre(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11));
  EXPECT_EQ(progress.size(), 12U);
  EXPECT_THAT(toy.saver.saved, ElementsAre(1, 2, 3));
  EXPECT_THAT(toy.saver.lines, ElementsAre("epoch@4", "epoch@8", "step@10", "epoch@12"));
  EXPECT_EQ(report.best_epoch, 3);
  EXPECT_EQ(report.epochs.size(), 3U);
  EXPECT_GT(report.epochs[0].loss, report.epochs[2].loss);
  EXPECT_FALSE(report.start.has_value());
  EXPECT_FALSE(report.interrupted);
}

TEST(Loop, a_stage_may_be_told_its_steps) {
  Toy toy;
  toy.options.stages = {{.steps = 10}};
  std::vector<double> rates;
  toy.callbacks.progress = [&](const TrainingProgress& p) {
    rates.push_back(p.learning_rate);
    EXPECT_EQ(p.steps, 10);
  };
  const TrainingReport report = toy.run();
  EXPECT_EQ(toy.source.steps.size(), 10U);
  EXPECT_EQ(report.step, 10);
  ASSERT_EQ(report.epochs.size(), 3U);
  EXPECT_EQ(report.epochs[1].step, 8);
  EXPECT_EQ(report.epochs[2].step, 10);
  EXPECT_DOUBLE_EQ(rates[9], toy.options.learning_rate * rate_at(Schedule::linear, 9, 10, 0.1));
}

TEST(Loop, skips_steps_that_are_not_finite) {
  Toy toy;
  toy.objective.bad_steps = {1, 2, 5};
  std::vector<std::string> lines;
  toy.callbacks.log = [&](std::string_view line) { lines.emplace_back(line); };
  const TrainingReport report = toy.run();
  EXPECT_EQ(report.skipped_steps, 3);
  ASSERT_EQ(lines.size(), 3U);
  EXPECT_THAT(lines[0], HasSubstr("step 2: "));
  EXPECT_THAT(lines[0], HasSubstr("place 1"));
  EXPECT_TRUE(std::isfinite(toy.objective.value.item<double>()));
  EXPECT_TRUE(std::isfinite(report.epochs[0].loss));
}

TEST(Loop, gives_up_after_eight_bad_steps_in_a_row) {
  Toy toy;
  toy.objective.bad_steps = {0, 2, 3, 4, 5, 6, 7, 8, 9};
  const Error error = error_of([&] { toy.run(); });
  EXPECT_EQ(error.kind(), Error::Kind::input);
  EXPECT_THAT(error.what(), HasSubstr("8 steps in a row (place 2 | place 3"));
  EXPECT_EQ(toy.source.steps.back(), 9);
}

TEST(Loop, the_model_it_starts_from_is_the_one_to_beat) {
  Toy toy;
  toy.options.score_first = true;
  toy.objective.value.data().fill_(2.99);
  toy.options.learning_rate = 5;
  const TrainingReport report = toy.run();
  EXPECT_EQ(report.best_epoch, 0);
  EXPECT_NEAR(*report.start, -0.01, 1e-6);
  EXPECT_EQ(report.best, *report.start);
  EXPECT_THAT(toy.saver.saved, ElementsAre(0));
  EXPECT_EQ(toy.saver.updates, 3);
  EXPECT_EQ(toy.saver.lines[0], "start@0");
  EXPECT_EQ(report.epochs.size(), 3U);
}

TEST(Loop, stops_early_when_nothing_gets_better) {
  Toy toy;
  toy.options.stages = {{.epochs = 9}};
  toy.options.learning_rate = 0;
  toy.options.patience = 2;
  EXPECT_EQ(toy.run().epochs.size(), 3U);
  EXPECT_THAT(toy.saver.saved, ElementsAre(1));
}

TEST(Loop, asked_to_stop_it_scores_what_it_has_unless_there_is_a_model) {
  for (const bool older : {false, true}) {
    Toy toy;
    toy.saver.older = older;
    int steps = 0;
    toy.callbacks.stop = [&] { return ++steps == 2; };
    const TrainingReport report = toy.run();
    EXPECT_TRUE(report.interrupted);
    EXPECT_EQ(report.step, 2);
    EXPECT_EQ(toy.saver.saved.size(), older ? 0U : 1U);
    EXPECT_EQ(report.best_epoch.has_value(), !older);
  }
  Toy toy;
  int steps = 0;
  toy.callbacks.stop = [&] { return ++steps == 6; };
  EXPECT_TRUE(toy.run().interrupted);
  EXPECT_THAT(toy.saver.saved, ElementsAre(1)) << "the first epoch's stays";
}

TEST(Loop, a_model_whose_loss_is_no_number_is_never_the_best) {
  Toy toy;
  toy.objective.broken = true;
  EXPECT_THAT(error_of([&] { toy.run(); }).what(), HasSubstr("finite loss on the dev data"));
  EXPECT_TRUE(toy.saver.saved.empty());
}

TEST(Loop, makes_a_checkpoint_every_so_many_steps_and_where_it_is_stopped) {
  Toy toy;
  toy.options.checkpoint_steps = 3;
  toy.run();
  EXPECT_THAT(toy.saver.checkpoints, ElementsAre(3, 6, 9)) << "none where the run ends anyway";
  Toy stopped;
  stopped.options.checkpoint_steps = 3;
  int steps = 0;
  stopped.callbacks.stop = [&] { return ++steps == 5; };
  EXPECT_EQ(stopped.run().checkpoint, 5);
  EXPECT_THAT(stopped.saver.checkpoints, ElementsAre(3, 5));
  Toy by_time;
  by_time.options.checkpoint_steps = -1;
  by_time.run();
  EXPECT_TRUE(by_time.saver.checkpoints.empty()) << "it takes no half a minute";
}

/// A gradient that is a hundred times as large at some steps.
struct Spikes : Number {
  Result loss(std::span<const Sample> /*batch*/, const StepPart& part) override {
    return {(value * (bad_steps.contains(part.step) ? 1.0 : 0.01)).sum(), 1};
  }
};

TEST(Loop, a_gradient_far_over_its_usual_size_is_clipped_and_told) {
  Toy toy;
  toy.options.stages = {{.epochs = 60}};
  toy.options.learning_rate = 1e-3;
  Spikes objective;
  objective.bad_steps = {50, 210, 220};  // the first one before its usual size is known
  std::vector<std::string> lines;
  toy.callbacks.log = [&](std::string_view line) { lines.emplace_back(line); };
  const TrainingReport report =
      Loop(toy.options, toy.source, objective, toy.saver, toy.callbacks).run();
  EXPECT_EQ(report.spikes, 2);
  ASSERT_EQ(lines.size(), 2U);
  EXPECT_EQ(lines[0],
            "step 211: the gradient's norm, 1, is over 10 times its usual size: clipped to that "
            "(place 210)");
}

TEST(AdamW, a_spike_is_clipped_to_ten_times_the_median_of_200_norms) {
  at::Tensor p = at::zeros({4}).requires_grad_();
  AdamW optimizer({Learner(p, 1, "p")}, {.max_grad_norm = 100, .beta1 = 0});
  const auto step = [&](double norm) {
    p.mutable_grad() = at::full({4}, norm / 2);
    optimizer.step(0);  // moments alone move
    return optimizer.state()[0].second[0].item<double>() * 2;
  };
  for (int i = 0; i < 200; ++i)
    EXPECT_NEAR(step(i % 2 == 0 ? 0.1 : 0.2), i % 2 == 0 ? 0.1 : 0.2, 1e-6);
  EXPECT_NEAR(step(1.9), 1.9, 1e-5);
  EXPECT_FALSE(optimizer.spiked());
  EXPECT_NEAR(step(50), 2, 1e-5);
  EXPECT_TRUE(optimizer.spiked());
  EXPECT_EQ(optimizer.grad_norm(), 50);
  EXPECT_EQ(optimizer.counters().norms.size(), 200U);
}

TEST(AdamW, a_scaled_loss_makes_the_same_step_and_the_scale_follows_the_overflows) {
  at::Tensor p = at::ones({4}).requires_grad_(), q = at::ones({4}).requires_grad_();
  AdamW scaled({Learner(p, 1, "p")}, {.loss_scale = 1024}), plain({Learner(q, 1, "q")}, {});
  const auto step = [](AdamW& optimizer, at::Tensor& x, double size) {
    optimizer.scaled((x * x).sum() * size).backward();
    return optimizer.step(0.1);
  };
  for (const double size : {1.0, 0.1, 7.0}) {
    EXPECT_TRUE(step(scaled, p, size));
    EXPECT_TRUE(step(plain, q, size));
    EXPECT_TRUE(at::equal(p, q));  // a power of two changes no bits
    EXPECT_EQ(scaled.grad_norm(), plain.grad_norm());
  }
  EXPECT_FALSE(step(scaled, p, 1e38));
  EXPECT_TRUE(at::equal(p, q));
  EXPECT_EQ(scaled.loss_scale(), 512);
  AdamW::Counters counters = scaled.counters();
  counters.scaled_steps = 1'999;
  scaled.set_counters(counters);
  EXPECT_TRUE(step(scaled, p, 1));
  EXPECT_EQ(scaled.loss_scale(), 1024);
  EXPECT_FALSE(step(plain, q, 1e38));
  EXPECT_EQ(plain.loss_scale(), 1);
}

/// Of a loss so steep that its gradient must not be scaled by much.
struct Steep : Number {
  Result loss(std::span<const Sample> batch, const StepPart& part) override {
    return {Number::loss(batch, part).loss * 1e36, 1};
  }
};

TEST(Loop, steps_whose_scaled_gradient_overflows_are_skipped_and_no_reason_to_give_up) {
  Toy toy;
  Steep steep;
  std::vector<std::string> lines;
  toy.callbacks.log = [&](std::string_view line) { lines.emplace_back(line); };
  toy.options.stages = {{.epochs = 10}};
  toy.options.optimizer.loss_scale = 65'536;
  const TrainingReport report =
      Loop(toy.options, toy.source, steep, toy.saver, toy.callbacks).run();
  EXPECT_GT(report.skipped_steps, 8);
  EXPECT_GT(report.best, -3);
  ASSERT_FALSE(lines.empty());
  EXPECT_EQ(lines[0], "step 1: gradient too large for its type, skipped; loss scaled by 32768");
}

TEST(Loop, the_number_type_is_a_setting) {
  Toy toy;
  toy.options.type = at::kDouble;
  toy.options.optimizer.average = 0.9;
  EXPECT_GT(toy.run().best_epoch, 0);
  EXPECT_EQ(toy.objective.module.parameters()[0].scalar_type(), at::kDouble);
}

/// Counts what is left of denormals in torch's threads.
struct Denormals : Number {
  static double left() {
    return (at::full({1 << 20}, 1e-30) * 1e-10).count_nonzero().item<double>();
  }

  Result loss(std::span<const Sample> batch, const StepPart& part) override {
    most = std::max(most, left());
    return Number::loss(batch, part);
  }

  double most = 0;
};

TEST(Loop, takes_denormals_as_zero_for_as_long_as_it_runs) {
  Toy toy;
  Denormals objective;
  const double before = Denormals::left();
  Loop(toy.options, toy.source, objective, toy.saver, toy.callbacks).run();
  EXPECT_EQ(objective.most, 0);
  EXPECT_EQ(Denormals::left(), before);
  EXPECT_EQ(before, 1 << 20);
}

}  // namespace
}  // namespace fnet
