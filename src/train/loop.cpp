#include "train/loop.h"

#include <c10/util/ScopeExit.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <tuple>
#include <utility>

#include "core/error.h"
#include "train/algebra.h"
#include "train/ops.h"

namespace fnet {
namespace {

/// Steps in a row without a finite loss or gradient after which training gives up.
constexpr std::size_t kMaxBadSteps = 8;
/// What float16's losses are multiplied by at first: PyTorch's GradScaler's.
constexpr double kHalfLossScale = 65'536;
/// Steps between two lines of the log.
constexpr std::int64_t kLogEvery = 10;
/// Of checkpoints by time: seconds between two at least, and how many times their own cost.
constexpr double kCheckpointPause = 30, kCheckpointShare = 50;

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

/// Tells how long each part of a step took.
class Laps {
 public:
  /// Adds the time since the last call, or since it was made.
  void add_to(double& seconds) {
    seconds += seconds_since(last_);
    last_ = std::chrono::steady_clock::now();
  }

 private:
  std::chrono::steady_clock::time_point last_ = std::chrono::steady_clock::now();
};

}  // namespace

Loop::Loop(LoopOptions options, Source& source, Objective& objective, Saver& saver,
           const TrainingCallbacks& callbacks)
    : options_(std::move(options)),
      source_(options_.device.is_cpu() ? source : ahead_.emplace(source)),
      objective_(objective),
      saver_(saver),
      callbacks_(callbacks),
      ranks_(options_.ranks != nullptr ? *options_.ranks : alone_) {
  if (options_.products == at::kHalf) options_.optimizer.loss_scale = kHalfLossScale;
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
  const nlohmann::json resumed = ranks_.tell(saver_.resumed());
  if (!resumed.is_null()) {
    restore(resumed);
  } else {
    ranks_.copy_first(model_tensors());
    if (options_.score_first) evaluate();
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
      if (ranks_.tell(!report_.best_epoch && !saver_.holds_model()).get<bool>()) evaluate();
      return;
    }
    evaluate();
    without_better_ = report_.epochs.back().best ? 0 : without_better_ + 1;
    ++stage_epochs_;
    if (stage_epochs_ < epochs_of(stage) && stage_is_over(stage)) {
      log(fmt::format("early stop: no better {} for {} epochs", options_.metric,
                      options_.patience));
    }
    if (step_ < report_.steps && ranks_.tell(checkpoint_is_due()).get<bool>()) checkpoint();
  }
  sums_.reset();
  optimizer_.reset();
  ++stage_;
  stage_begin_ = step_;
  stage_epochs_ = without_better_ = 0;
}

void Loop::begin_stage(const Stage& stage) {
  if (stage.begin) stage.begin();
  optimizer_.emplace(learners_of(objective_.model(), options_.rate), options_.optimizer);
  if (ranks_.alone()) return;
  std::vector<at::Tensor> learn;
  for (const Learner& learner : learners_of(objective_.model())) learn.push_back(learner.value);
  sums_.emplace(ranks_, std::move(learn));
}

/// Reads this process's parts of a step, forward and back, and adds them up with all others.
Loop::StepSum Loop::pass(StepSeconds& seconds) {
  Laps laps;
  const std::vector<Sample> batch = source_.batch(step_);
  laps.add_to(seconds.batch);
  const auto samples = static_cast<std::int64_t>(batch.size());
  const std::int64_t parts = options_.accumulate * ranks_.size();
  std::vector<double> terms;
  if (parts > 1) {
    terms = objective_.terms(batch, step_);
    require(!terms.empty(), Kind::usage,
            "accumulate: expected 1, and one process, where the loss compares all texts of a step "
            "with each other, found {} parts",
            parts);
  }
  StepSum sum;
  for (std::int64_t i = 0; i < options_.accumulate; ++i) {
    const auto [begin, end] = part_of(samples, ranks_.rank() * options_.accumulate + i, parts);
    // Gradients are added up between processes while the last part's are still being made.
    if (sums_ && i + 1 == options_.accumulate) sums_->begin();
    if (parts > 1 && begin == end) continue;
    const auto own = std::span(batch).subspan(static_cast<std::size_t>(begin),
                                              static_cast<std::size_t>(end - begin));
    const Objective::Result result = [&] {
      const ProductsIn products({options_.products, options_.device.type()});
      return objective_.loss(own, {step_, begin, terms});
    }();
    laps.add_to(seconds.forward);
    // None learns where all of the step's task is frozen.
    if (result.loss.requires_grad()) optimizer_->scaled(result.loss).backward(), sum.learns = true;
    sum.loss += result.loss.item<double>();
    sum.tokens += result.tokens;
    laps.add_to(seconds.backward);
  }
  if (!sums_) return sum;
  sum.learns = sums_->finish();
  const at::Tensor all = at::tensor(
      {sum.loss, static_cast<double>(sum.tokens), callbacks_.stop && callbacks_.stop() ? 1.0 : 0.0,
       ranks_.leads() && checkpoint_is_due(1) ? 1.0 : 0.0},
      at::kDouble);
  ranks_.sum(all);
  const auto* values = all.const_data_ptr<double>();
  return {values[0], static_cast<std::int64_t>(values[1]), sum.learns, values[2] > 0,
          values[3] > 0};
}

/// Trains to the epoch's end, from wherever in it the run stands.
void Loop::train_epoch() {
  objective_.model().train();
  const auto start = Clock::now();
  const double seconds_before = line_.seconds;
  line_.epoch = static_cast<std::int64_t>(report_.epochs.size()) + 1;
  const auto rests = c10::make_scope_exit([&] { ranks_.set_stepping(false); });
  while (step_ < epoch_end() && !report_.interrupted) {
    ranks_.set_stepping(true);
    const double rate = options_.learning_rate * rate_at(options_.schedule, step_ - stage_begin_,
                                                         stage_steps_, options_.warmup);
    StepSeconds seconds;
    const StepSum sum = pass(seconds);
    Laps laps;
    const bool finite = std::isfinite(sum.loss), overflows = finite && optimizer_->loss_scale() > 1;
    const bool good = finite && (!sum.learns || step(rate));
    laps.add_to(seconds.update);
    if (options_.timed) options_.timed(seconds);
    if (good) {
      bad_in_a_row_.clear();
      loss_sum_ += sum.loss;
      ++good_steps_;
    } else {
      skip_step(overflows);
    }
    line_.step = ++step_;
    tokens_ += sum.tokens;
    ranks_.set_step(step_);
    line_.loss = good_steps_ > 0 ? loss_sum_ / static_cast<double>(good_steps_) : 0;
    line_.seconds = seconds_before + seconds_since(start);
    line_.tokens_per_second = static_cast<double>(tokens_) / line_.seconds;
    if (step_ % kLogEvery == 0) {
      saver_.log("step", step_,
                 {{"epoch", static_cast<double>(line_.epoch)},
                  {"loss", sum.loss},
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
    report_.interrupted = sums_ ? sum.stop : callbacks_.stop && callbacks_.stop();
    report_.step = step_;
    // At its end the epoch is scored first.
    if (step_ < epoch_end() && !report_.interrupted &&
        (sums_ ? sum.checkpoint : checkpoint_is_due()))
      checkpoint();
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
/// places. `overflow`: the next one's gradient is scaled to be smaller.
void Loop::skip_step(bool overflow) {
  optimizer_->zero_grad();
  ++report_.skipped_steps;
  if (overflow)
    return log(fmt::format("step {}: gradient too large for its type, skipped; loss scaled by {:g}",
                           step_ + 1, optimizer_->loss_scale()));
  bad_in_a_row_.push_back(source_.place(step_));
  log(fmt::format("step {}: loss or gradient is not finite, step skipped ({})", step_ + 1,
                  bad_in_a_row_.back()));
  require(bad_in_a_row_.size() < kMaxBadSteps, Kind::input,
          "training: expected a finite loss and gradient, found none in {} steps in a row ({}); "
          "lower the learning rate",
          kMaxBadSteps, fmt::join(bad_in_a_row_, " | "));
}

/// Scores the model at the epoch's end and, where it is the best so far, saves it. Before any
/// epoch: the model that the loop starts from. Of several processes the first does that, and the
/// others hear what came out.
void Loop::evaluate() {
  const bool leads = ranks_.leads();
  if (optimizer_ && leads) optimizer_->swap_average();
  Evaluation evaluation;
  if (leads) evaluation = objective_.evaluate();
  const nlohmann::json told =
      ranks_.tell({{"loss", evaluation.loss}, {"metrics", evaluation.metrics}});
  if (!leads) {
    evaluation.loss = told.at("loss").get<double>();
    evaluation.metrics = told.at("metrics").get<decltype(evaluation.metrics)>();
  }
  const double value = evaluation.metric(options_.metric);
  EpochReport line = std::exchange(line_, {});
  loss_sum_ = 0, good_steps_ = tokens_ = 0;
  seconds_ += line.seconds;
  line.metrics = evaluation.metrics;
  line.dev_loss = evaluation.loss;
  // A model with numbers that are none has a loss that is none, and some metric all the same.
  // Of few texts the metric is often the same: the loss tells more.
  line.best = std::isfinite(evaluation.loss) &&
              (!report_.best_epoch ||
               std::tuple(value, -evaluation.loss) > std::tuple(report_.best, -report_.best_loss));
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
    report_.best_loss = evaluation.loss;
    report_.best_epoch = line.epoch;
    best_ = std::move(evaluation);
    snapshot_.clear();
    owed_ = Owed::model;
  } else {
    owed_ = std::max(owed_, Owed::report);
  }
  if (leads) try_deliver();
  if (optimizer_ && leads) optimizer_->swap_average();
  ranks_.wait_for_first();
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

/// `later`: so many steps from now.
bool Loop::checkpoint_is_due(std::int64_t later) const {
  if (options_.checkpoint_steps >= 0) {
    return options_.checkpoint_steps > 0 &&
           step_ + later - tried_step_ >= options_.checkpoint_steps;
  }
  return seconds_since(tried_at_) >= std::max(kCheckpointPause, kCheckpointShare * tried_seconds_);
}

/// Makes a checkpoint of this step. Where that fails, the one before stays and training goes on.
/// Of several processes the first makes it, and the others wait.
void Loop::checkpoint() {
  if (options_.checkpoint_steps == 0 || report_.checkpoint == step_) return;
  ranks_.set_stepping(false);
  if (ranks_.leads()) try_checkpoint();
  const std::int64_t made = report_.checkpoint.value_or(-1);
  if (const auto told = ranks_.tell(made).get<std::int64_t>(); told >= 0) report_.checkpoint = told;
}

void Loop::try_checkpoint() {
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
