#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "train/objective.h"
#include "train/source.h"
#include "train/task_schedule.h"

// Several tasks as one: each step is one task's, by the schedule.
namespace fnet {

/// The batches of the tasks' own sources.
class MultiTaskSource : public Source {
 public:
  MultiTaskSource(std::vector<std::unique_ptr<Source>> tasks, TaskSchedule schedule);

  std::int64_t epoch_steps() const override { return schedule_.epoch_steps(); }
  std::vector<Sample> batch(std::int64_t step) override;
  std::string place(std::int64_t step) override;

 private:
  std::vector<std::unique_ptr<Source>> tasks_;
  TaskSchedule schedule_;
};

/// The losses of the tasks' own objectives, which share a model, each times its weight. An
/// evaluation has each task's metrics as `name.metric`, and the mean of those that count.
class MultiTaskObjective : public Objective {
 public:
  struct Part {
    std::string name;
    std::unique_ptr<Objective> objective;
    double weight = 1;
    std::string metric;  ///< of the task's own, the one that is in the mean
  };

  MultiTaskObjective(std::vector<Part> parts, TaskSchedule schedule);

  torch::nn::Module& model() override { return parts_.front().objective->model(); }
  std::vector<double> terms(std::span<const Sample> batch, std::int64_t step) override;
  Result loss(std::span<const Sample> batch, const StepPart& part) override;
  Evaluation evaluate() override;

  /// Names of the metrics of such evaluations, the default first, where tasks have these.
  static std::vector<std::string> metrics(
      const std::vector<std::pair<std::string, std::vector<std::string>>>& tasks);

 private:
  std::vector<Part> parts_;
  TaskSchedule schedule_;
};

}  // namespace fnet
