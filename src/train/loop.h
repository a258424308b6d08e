#pragma once

#include <torch/torch.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "fnet/finetune.h"
#include "train/gradients.h"
#include "train/objective.h"
#include "train/optimizer.h"
#include "train/ranks.h"
#include "train/saver.h"
#include "train/source.h"
#include "train/step_seconds.h"

namespace fnet {

/// A part of a training, with a learning-rate schedule and an optimizer of its own.
struct Stage {
  std::int64_t epochs = 1;
  std::int64_t steps = 0;  ///< in place of epochs, of which the last may be shorter; 0: the epochs'
  /// Called before its first step: chooses which parameters take a gradient, and so learn.
  std::function<void()> begin = {};
};

struct LoopOptions {
  std::vector<Stage> stages = {Stage()};
  double learning_rate = 1e-3;  ///< at its peak
  /// A parameter's share of it, by its name; empty: 1.
  std::function<double(const std::string&)> rate = {};
  double warmup = 0.1;                   ///< share of a stage's steps until the peak
  Schedule schedule = Schedule::linear;  ///< from there on
  /// Passes forward and back of a step, over a part of its samples each.
  std::int64_t accumulate = 1;
  AdamW::Options optimizer;
  std::string metric;                ///< of the evaluations; the highest is the best
  bool score_first = false;          ///< the model that the loop starts from is the one to beat
  std::int64_t patience = 0;         ///< epochs without a better one before a stage ends; 0: never
  at::Device device = at::kCPU;      ///< where the model learns
  at::ScalarType type = at::kFloat;  ///< of its parameters while it learns
  /// Of the factors of a step's products; the weights stay as they are.
  at::ScalarType products = at::kFloat;
  /// Steps between two checkpoints; 0: none are made; -1: as rarely as they take a fiftieth of the
  /// time, and at most two a minute.
  std::int64_t checkpoint_steps = 0;
  /// The processes that share each step, of which the first evaluates and saves; null: this one.
  Ranks* ranks = nullptr;
  std::function<void(const StepSeconds&)> timed = {};  ///< called after every step
};

/// The one training loop: learning rate, guards against steps that are not finite, log, progress,
/// early stop, the choice of the best model, and when to make a checkpoint. What is learnt comes
/// from a source and an objective. A run that goes on from a checkpoint takes the same steps, bit
/// for bit, as one that was never interrupted.
class Loop {
 public:
  /// Moves the objective's model to the device and type. All must outlive the loop.
  Loop(LoopOptions options, Source& source, Objective& objective, Saver& saver,
       const TrainingCallbacks& callbacks);

  /// Trains, from the saver's checkpoint on where it has one. What cannot be saved on the way is
  /// tried again later. Throws: input where the loss stays without a finite value for 8 steps in a
  /// row, or no evaluation is finite; system where the best model cannot be saved at the end; what
  /// source and objective throw.
  TrainingReport run();

 private:
  using Clock = std::chrono::steady_clock;

  /// What a saver has not got yet, because it failed.
  enum class Owed { nothing, report, model };

  void run_stage(const Stage& stage);
  void begin_stage(const Stage& stage);
  void train_epoch();
  /// What a step's parts come to, of all processes.
  struct StepSum {
    double loss = 0;
    std::int64_t tokens = 0;
    bool learns = false;                    ///< something has a gradient
    bool stop = false, checkpoint = false;  ///< one is asked for
  };
  StepSum pass(StepSeconds& seconds);
  bool step(double rate);
  void skip_step(bool overflow);
  void evaluate();
  std::int64_t epochs_of(const Stage& stage) const;
  std::int64_t steps_of(const Stage& stage) const;
  void deliver();
  bool try_deliver();
  void swap_snapshot();
  bool checkpoint_is_due(std::int64_t later = 0) const;
  void checkpoint();
  void try_checkpoint();
  void check_finite(const NamedTensors& tensors) const;
  nlohmann::json state();
  void restore(const nlohmann::json& state);
  NamedTensors model_tensors() const;
  NamedTensors tensors() const;
  template <class Visit>
  void members(Visit&& visit);
  std::int64_t epoch_end() const {
    return stage_begin_ + std::min((stage_epochs_ + 1) * epoch_steps_, stage_steps_);
  }
  bool stage_is_over(const Stage& stage) const;
  void log(std::string_view line) const;

  LoopOptions options_;
  std::optional<AheadSource> ahead_;  // where the device works while the CPU reads
  Source& source_;
  Objective& objective_;
  Saver& saver_;
  const TrainingCallbacks& callbacks_;
  std::int64_t epochs_ = 0, epoch_steps_ = 0, stage_steps_ = 0;
  std::optional<AdamW> optimizer_;  // of the stage
  Ranks alone_;
  Ranks& ranks_;
  std::optional<GradientSums> sums_;  // of the stage, where there are several processes

  // Where training stands: with the tensors, what a checkpoint keeps (loop_state.cpp).
  std::int64_t stage_ = 0;         // index
  std::int64_t stage_begin_ = 0;   // its first step
  std::int64_t stage_epochs_ = 0;  // its epochs that ended
  std::int64_t without_better_ = 0;
  std::int64_t step_ = 0;
  double seconds_ = 0;  // of training, in the epochs that ended
  EpochReport line_;    // of the epoch under way
  double loss_sum_ = 0;
  std::int64_t good_steps_ = 0, tokens_ = 0;
  std::vector<std::string> bad_in_a_row_;
  TrainingReport report_;

  Evaluation best_;
  Owed owed_ = Owed::nothing;
  std::vector<at::Tensor> snapshot_;  // of the best model, while it is owed
  // The last try of a checkpoint: when, at which step, how many seconds it took.
  Clock::time_point tried_at_ = Clock::now();
  std::int64_t tried_step_ = 0;
  double tried_seconds_ = 0;
};

}  // namespace fnet
