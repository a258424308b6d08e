#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace fnet {

/// Which of several tasks each step of a training is for. In an epoch each task has its part of the
/// steps, by its size^alpha and at least one, in an order that the seed and the epoch tell: a pure
/// function of the step.
class TaskSchedule {
 public:
  /// `sizes`: examples of each task. `epoch_steps`: at least one for each.
  TaskSchedule(std::span<const std::int64_t> sizes, double alpha, std::int64_t epoch_steps,
               std::uint64_t seed);

  struct Turn {
    std::size_t task = 0;
    std::int64_t step = 0;  ///< how many steps the task has had before
  };

  /// Whose a step of the run is, from 0.
  Turn at(std::int64_t step);

  std::int64_t epoch_steps() const { return epoch_steps_; }

  /// Of an epoch's steps, those of each task.
  const std::vector<std::int64_t>& steps() const { return steps_; }

 private:
  std::int64_t epoch_steps_;
  std::uint64_t seed_;
  std::vector<std::int64_t> steps_;
  std::int64_t epoch_ = 0;   // whose turns these are, from 1
  std::vector<Turn> turns_;  // each task's own step within the epoch
};

}  // namespace fnet
