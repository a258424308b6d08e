#include "train/loop.h"

#include <c10/util/ScopeExit.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "core/error.h"
#include "train/algebra.h"
#include "train/ops.h"

namespace fnet {
namespace {

/// Steps in a row without a finite loss or gradient after which training gives up.
constexpr std::size_t kMaxBadSteps = 8;
/// Steps between two lines of the log.
constexpr std::int64_t kLogEvery = 10;
/// Of checkpoints by time: seconds between two at least, and how many times their own cost.
constexpr double kCheckpointPause = 30, kCheckpointShare = 50;

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
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
  epoch_steps_ = source.epoch_steps();
  for (const Stage& stage : options_.stages) {
    epochs_ += epochs_of(stage);
    report_.steps += steps_of(stage);
  }
  report_.metric = options_.metric;
}

std::int64_t Loop::epochs_of(const Stage& stage) const {
  return stage.steps > 0 ? (stage.steps + epoch_steps_ - 1) / epoch_steps_ : stage.epochs;
}

std::int64_t Loop::steps_of(const Stage& stage) const {
  return stage.steps > 0 ? stage.steps : stage.epochs * epoch_steps_;
}

TrainingReport Loop::run() {
  // Moments of weights that get no gradient fade into them.
  const ops::DenormalsAreZeroInTorch denormals;
  if (!saver_.resumed().is_null()) {
    restore(saver_.resumed());
  } else if (options_.score_first) {
    evaluate();
  }
  while (!report_.interrupted && stage_ < static_cast<std::int64_t>(options_.stages.size())) {
    run_stage(options_.stages[static_cast<std::size_t>(stage_)]);
  }
  if (!report_.interrupted) deliver();
  require(report_.best_epoch || report_.interrupted, Kind::input,
          "training: expected a finite loss on the dev data, found none after any epoch; lower "
          "the learning rate");
  return std::move(report_);
}

bool Loop::stage_is_over(const Stage& stage) const {
  return stage_epochs_ >= epochs_of(stage) ||
         (options_.patience > 0 && without_better_ >= options_.patience);
}

void Loop::run_stage(const Stage& stage) {
  if (!optimizer_ && !stage_is_over(stage)) begin_stage(stage);
  stage_steps_ = steps_of(stage);
  while (!stage_is_over(stage)) {
    train_epoch();
    if (report_.interrupted) {
      checkpoint();
      if (!report_.best_epoch && !saver_.holds_model()) evaluate();
      return;
    }
    evaluate();
    without_better_ = report_.epochs.back().best ? 0 : without_better_ + 1;
    ++stage_epochs_;
    if (stage_epochs_ < epochs_of(stage) && stage_is_over(stage)) {
      log(fmt::format("early stop: no better {} for {} epochs", options_.metric,
                      options_.patience));
    }
    if (step_ < report_.steps && checkpoint_is_due()) checkpoint();
  }
  optimizer_.reset();
  ++stage_;
  stage_begin_ = step_;
  stage_epochs_ = without_better_ = 0;
}

void Loop::begin_stage(const Stage& stage) {
  if (stage.begin) stage.begin();
  optimizer_.emplace(learners_of(objective_.model(), options_.rate), options_.optimizer);
}

/// Trains to the epoch's end, from wherever in it the run stands.
void Loop::train_epoch() {
  objective_.model().train();
  const auto start = Clock::now();
  const double seconds_before = line_.seconds;
  line_.epoch = static_cast<std::int64_t>(report_.epochs.size()) + 1;
  while (step_ < epoch_end() && !report_.interrupted) {
    const double rate = options_.learning_rate *
                        linear_schedule(step_ - stage_begin_, stage_steps_, options_.warmup);
    StepSeconds seconds;
    auto last = Clock::now();
    const auto lap = [&] {
      const auto before = std::exchange(last, Clock::now());
      return std::chrono::duration<double>(last - before).count();
    };
    const std::vector<Sample> batch = source_.batch(step_);
    seconds.batch = lap();
    const Objective::Result result = [&] {
      const ProductsIn products(options_.products);
      return objective_.loss(batch, step_);
    }();
    seconds.forward = lap();
    const bool learns = result.loss.requires_grad();  // not where all of the step's task is frozen
    if (learns) result.loss.backward();
    const double loss = result.loss.item<double>();
    seconds.backward = lap();
    const bool good = std::isfinite(loss) && (!learns || step(rate));
    seconds.update = lap();
    if (options_.timed) options_.timed(seconds);
    if (good) {
      bad_in_a_row_.clear();
      loss_sum_ += loss;
      ++good_steps_;
    } else {
      skip_step();
    }
    line_.step = ++step_;
    tokens_ += result.tokens;
    line_.loss = good_steps_ > 0 ? loss_sum_ / static_cast<double>(good_steps_) : 0;
    line_.seconds = seconds_before + seconds_since(start);
    line_.tokens_per_second = static_cast<double>(tokens_) / line_.seconds;
    if (step_ % kLogEvery == 0) {
      saver_.log("step", step_,
                 {{"epoch", static_cast<double>(line_.epoch)},
                  {"loss", loss},
                  {"learning_rate", rate},
                  {"grad_norm", optimizer_->grad_norm()},
                  {"tokens_per_second", line_.tokens_per_second}});
    }
    if (callbacks_.progress) {
      const double each = (seconds_ + line_.seconds) / static_cast<double>(step_);
      callbacks_.progress({.epoch = line_.epoch,
                           .epochs = epochs_,
                           .step = step_,
                           .steps = report_.steps,
                           .loss = line_.loss,
                           .learning_rate = rate,
                           .tokens_per_second = line_.tokens_per_second,
                           .seconds_left = each * static_cast<double>(report_.steps - step_)});
    }
    report_.interrupted = callbacks_.stop && callbacks_.stop();
    report_.step = step_;
    // At its end the epoch is scored first.
    if (step_ < epoch_end() && !report_.interrupted && checkpoint_is_due()) checkpoint();
  }
}

/// A step of the optimizer. False where the gradient is not finite.
bool Loop::step(double rate) {
  if (!optimizer_->step(rate)) return false;
  if (optimizer_->spiked()) {
    ++report_.spikes;
    log(fmt::format(
        "step {}: the gradient's norm, {:.3g}, is over {:g} times its usual size{} ({})", step_ + 1,
        optimizer_->grad_norm(), options_.optimizer.spike,
        options_.optimizer.max_grad_norm > 0 ? ": clipped to that" : "", source_.place(step_)));
  }
  return true;
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

/// Scores the model at the epoch's end and, where it is the best so far, saves it. Before any
/// epoch: the model that the loop starts from.
void Loop::evaluate() {
  if (optimizer_) optimizer_->swap_average();
  Evaluation evaluation = objective_.evaluate();
  const double value = evaluation.metric(options_.metric);
  EpochReport line = std::exchange(line_, {});
  loss_sum_ = 0, good_steps_ = tokens_ = 0;
  seconds_ += line.seconds;
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
    snapshot_.clear();
    owed_ = Owed::model;
  } else {
    owed_ = std::max(owed_, Owed::report);
  }
  try_deliver();
  if (optimizer_) optimizer_->swap_average();
  if (callbacks_.epoch) callbacks_.epoch(line);
}

/// Gives the saver what it has not got. Throws: as it does.
void Loop::deliver() {
  if (owed_ == Owed::model) {
    swap_snapshot();
    const auto back = c10::make_scope_exit([&] { swap_snapshot(); });
    saver_.save(report_, best_);
  } else if (owed_ == Owed::report) {
    saver_.update(report_, best_);
  }
  owed_ = Owed::nothing;
  snapshot_.clear();
}

/// The same, but training goes on where it fails. A model is kept in memory until the next try.
bool Loop::try_deliver() {
  try {
    deliver();
    return true;
  } catch (const Error& error) {
    log(fmt::format("warning: {} cannot be saved: {}; training goes on, and it is tried again",
                    owed_ == Owed::model ? "the best model" : "the report", error.what()));
  }
  if (owed_ == Owed::model && snapshot_.empty()) {
    for (const auto& item : model_tensors()) snapshot_.push_back(item.second.clone());
  }
  return false;
}

/// Exchanges the model with the one in memory, if there is one.
void Loop::swap_snapshot() {
  const at::NoGradGuard no_grad;
  const NamedTensors live = model_tensors();
  for (std::size_t i = 0; i < snapshot_.size(); ++i) {
    const at::Tensor now = live[i].second.clone();
    live[i].second.copy_(snapshot_[i]);
    snapshot_[i] = now;
  }
}

bool Loop::checkpoint_is_due() const {
  if (options_.checkpoint_steps >= 0) {
    return options_.checkpoint_steps > 0 && step_ - tried_step_ >= options_.checkpoint_steps;
  }
  return seconds_since(tried_at_) >= std::max(kCheckpointPause, kCheckpointShare * tried_seconds_);
}

/// Makes a checkpoint of this step. Where that fails, the one before stays and training goes on.
void Loop::checkpoint() {
  if (options_.checkpoint_steps == 0 || report_.checkpoint == step_) return;
  const auto start = Clock::now();
  try {
    deliver();  // a checkpoint has the best model too
    const NamedTensors all = tensors();
    check_finite(all);
    saver_.checkpoint(step_, state(), all);
    report_.checkpoint = step_;
  } catch (const Error& error) {
    log(fmt::format("warning: no checkpoint at step {}: {}; {}, and it is tried again", step_,
                    error.what(),
                    report_.checkpoint ? fmt::format("that of step {} is kept", *report_.checkpoint)
                                       : "training goes on"));
  }
  tried_at_ = Clock::now();
  tried_step_ = step_;
  tried_seconds_ = seconds_since(start);
}

void Loop::log(std::string_view line) const {
  if (callbacks_.log) callbacks_.log(line);
}

}  // namespace fnet
