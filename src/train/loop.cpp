#include "train/loop.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <chrono>
#include <cmath>

#include "core/error.h"
#include "train/algebra.h"
#include "train/ops.h"

namespace fnet {
namespace {

using Clock = std::chrono::steady_clock;

/// Steps in a row without a finite loss or gradient after which training gives up.
constexpr std::size_t kMaxBadSteps = 8;
/// Steps between two lines of the log.
constexpr std::int64_t kLogEvery = 10;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

}  // namespace

Loop::Loop(LoopOptions options, Source& source, Objective& objective, Saver& saver,
           const TrainingCallbacks& callbacks)
    : options_(std::move(options)),
      source_(source),
      objective_(objective),
      saver_(saver),
      callbacks_(callbacks) {
  objective_.model().to(options_.device, options_.type);
  for (const Stage& stage : options_.stages) {
    epochs_ += epochs_of(stage);
    steps_ += steps_of(stage);
  }
  report_.metric = options_.metric;
  report_.steps = steps_;
}

std::int64_t Loop::epochs_of(const Stage& stage) const {
  const std::int64_t each = source_.epoch_steps();
  return stage.steps > 0 ? (stage.steps + each - 1) / each : stage.epochs;
}

std::int64_t Loop::steps_of(const Stage& stage) const {
  return stage.steps > 0 ? stage.steps : stage.epochs * source_.epoch_steps();
}

TrainingReport Loop::run() {
  // Moments of weights that get no gradient fade into them.
  const ops::DenormalsAreZeroInTorch denormals;
  if (options_.score_first) evaluate({});
  for (const Stage& stage : options_.stages) {
    if (epochs_of(stage) > 0 && !report_.interrupted) run_stage(stage);
  }
  require(report_.best_epoch || report_.interrupted, Kind::input,
          "training: expected a finite loss on the dev data, found none after any epoch; lower "
          "the learning rate");
  return std::move(report_);
}

void Loop::run_stage(const Stage& stage) {
  if (stage.begin) stage.begin();
  optimizer_.emplace(learners_of(objective_.model(), options_.rate), options_.optimizer);
  stage_begin_ = step_;
  stage_steps_ = steps_of(stage);
  std::int64_t without_better = 0;
  for (std::int64_t i = 0; i < epochs_of(stage); ++i) {
    EpochReport line = train_epoch(++epoch_);
    if (report_.interrupted) {
      if (!report_.best_epoch && !saver_.holds_model()) evaluate(std::move(line));
      return;
    }
    evaluate(std::move(line));
    without_better = report_.epochs.back().best ? 0 : without_better + 1;
    if (options_.patience > 0 && without_better >= options_.patience) {
      log(fmt::format("early stop: no better {} for {} epochs", options_.metric,
                      options_.patience));
      return;
    }
  }
}

EpochReport Loop::train_epoch(std::int64_t epoch) {
  objective_.model().train();
  const auto start = Clock::now();
  EpochReport line;
  line.epoch = epoch;
  std::int64_t good_steps = 0, tokens = 0;
  double loss_sum = 0;
  const std::int64_t end = std::min(step_ + source_.epoch_steps(), stage_begin_ + stage_steps_);
  while (step_ < end && !report_.interrupted) {
    const double rate = options_.learning_rate *
                        linear_schedule(step_ - stage_begin_, stage_steps_, options_.warmup);
    const Objective::Result result = [&] {
      const ProductsIn products(options_.products);
      return objective_.loss(source_.batch(step_), step_);
    }();
    result.loss.backward();
    const double loss = result.loss.item<double>();
    if (std::isfinite(loss) && optimizer_->step(rate)) {
      bad_in_a_row_.clear();
      loss_sum += loss;
      ++good_steps;
    } else {
      skip_step();
    }
    ++step_;
    tokens += result.tokens;
    line.loss = good_steps > 0 ? loss_sum / static_cast<double>(good_steps) : 0;
    line.seconds = seconds_since(start);
    line.tokens_per_second = static_cast<double>(tokens) / line.seconds;
    if (step_ % kLogEvery == 0) {
      saver_.log("step", step_,
                 {{"epoch", static_cast<double>(epoch)},
                  {"loss", loss},
                  {"learning_rate", rate},
                  {"grad_norm", optimizer_->grad_norm()},
                  {"tokens_per_second", line.tokens_per_second}});
    }
    if (callbacks_.progress) {
      const double each = (seconds_ + line.seconds) / static_cast<double>(step_);
      callbacks_.progress({.epoch = epoch,
                           .epochs = epochs_,
                           .step = step_,
                           .steps = steps_,
                           .loss = line.loss,
                           .learning_rate = rate,
                           .tokens_per_second = line.tokens_per_second,
                           .seconds_left = each * static_cast<double>(steps_ - step_)});
    }
    report_.interrupted = callbacks_.stop && callbacks_.stop();
  }
  seconds_ += line.seconds;
  report_.step = line.step = step_;
  return line;
}

/// Counts a step without finite loss or gradient; gives up after several in a row, with their
/// places.
void Loop::skip_step() {
  optimizer_->zero_grad();
  ++report_.skipped_steps;
  bad_in_a_row_.push_back(source_.place(step_));
  log(fmt::format("step {}: loss or gradient is not finite, step skipped ({})", step_ + 1,
                  bad_in_a_row_.back()));
  require(bad_in_a_row_.size() < kMaxBadSteps, Kind::input,
          "training: expected a finite loss and gradient, found none in {} steps in a row ({}); "
          "lower the learning rate",
          kMaxBadSteps, fmt::join(bad_in_a_row_, " | "));
}

/// Scores the model and, where it is the best so far, saves it. `line.epoch` 0: the model that the
/// loop starts from.
void Loop::evaluate(EpochReport line) {
  if (optimizer_) optimizer_->swap_average();
  Evaluation evaluation = objective_.evaluate();
  const double value = evaluation.metric(options_.metric);
  line.metrics = evaluation.metrics;
  line.dev_loss = evaluation.loss;
  // A model with numbers that are none has a loss that is none, and some metric all the same.
  line.best = std::isfinite(evaluation.loss) && (!report_.best_epoch || value > report_.best);
  auto values = line.metrics;
  values.insert(values.begin(), {"dev_loss", evaluation.loss});
  if (line.epoch > 0) {
    values.insert(values.begin(), {"loss", line.loss});
    values.emplace_back("seconds", line.seconds);
    report_.epochs.push_back(line);
  } else {
    report_.start = value;
  }
  saver_.log(line.epoch > 0 ? "epoch" : "start", step_, values);
  if (line.best) {
    report_.best = value;
    report_.best_epoch = line.epoch;
    best_ = std::move(evaluation);
    saver_.save(report_, best_);
  } else {
    saver_.update(report_, best_);
  }
  if (optimizer_) optimizer_->swap_average();
  if (callbacks_.epoch) callbacks_.epoch(line);
}

void Loop::log(std::string_view line) const {
  if (callbacks_.log) callbacks_.log(line);
}

}  // namespace fnet
