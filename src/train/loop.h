#pragma once

#include <torch/torch.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "fnet/finetune.h"
#include "kernels/types.h"
#include "train/objective.h"
#include "train/optimizer.h"
#include "train/source.h"

namespace fnet {

/// Where a loop's models, log and reports go.
class Saver {
 public:
  virtual ~Saver() = default;

  /// A line of the log: values by name.
  virtual void log(std::string_view kind, std::int64_t step,
                   const std::vector<std::pair<std::string, double>>& values) = 0;

  /// The model as it is now is the best so far. `report` tells of it.
  virtual void save(const TrainingReport& report, const Evaluation& best) = 0;

  /// An epoch ended, and the best model is still that of `best`.
  virtual void update(const TrainingReport& report, const Evaluation& best) = 0;

  /// Whether there is a model that an interrupted run leaves as it is. Where there is none, the
  /// loop scores and saves what it has.
  virtual bool holds_model() const = 0;
};

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
  double warmup = 0.1;  ///< share of a stage's steps until the peak; then linear to 0
  AdamW::Options optimizer;
  std::string metric;                ///< of the evaluations; the highest is the best
  bool score_first = false;          ///< the model that the loop starts from is the one to beat
  std::int64_t patience = 0;         ///< epochs without a better one before a stage ends; 0: never
  at::Device device = at::kCPU;      ///< where the model learns
  at::ScalarType type = at::kFloat;  ///< of its parameters while it learns
  /// Of the factors of a step's products on the CPU; the weights stay as they are.
  kernels::Dtype products = kernels::Dtype::float32;
};

/// The one training loop: learning rate, guards against steps that are not finite, log, progress,
/// early stop, and the choice of the best model. What is learnt comes from a source and an
/// objective.
class Loop {
 public:
  /// Moves the objective's model to the device and type. All must outlive the loop.
  Loop(LoopOptions options, Source& source, Objective& objective, Saver& saver,
       const TrainingCallbacks& callbacks);

  /// Trains. Throws: input where the loss stays without a finite value for 8 steps in a row, or no
  /// evaluation is finite; what source, objective and saver throw.
  TrainingReport run();

 private:
  void run_stage(const Stage& stage);
  EpochReport train_epoch(std::int64_t epoch);
  std::int64_t epochs_of(const Stage& stage) const;
  std::int64_t steps_of(const Stage& stage) const;
  void skip_step();
  void evaluate(EpochReport line);
  void log(std::string_view line) const;

  LoopOptions options_;
  Source& source_;
  Objective& objective_;
  Saver& saver_;
  const TrainingCallbacks& callbacks_;
  std::optional<AdamW> optimizer_;  // of the stage
  std::int64_t epoch_ = 0, epochs_ = 0;
  std::int64_t step_ = 0, steps_ = 0;
  std::int64_t stage_begin_ = 0, stage_steps_ = 0;
  double seconds_ = 0;  // of training so far
  std::vector<std::string> bad_in_a_row_;
  TrainingReport report_;
  Evaluation best_;
};

}  // namespace fnet
