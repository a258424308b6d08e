#include "train/task_schedule.h"

#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "core/random.h"

namespace fnet {
namespace {

/// Stream of the order of the tasks; those below are the epochs' orders and the steps' dropout.
constexpr std::uint64_t kTurnStream = std::uint64_t{1} << 50;

}  // namespace

TaskSchedule::TaskSchedule(std::span<const std::int64_t> sizes, double alpha,
                           std::int64_t epoch_steps, std::uint64_t seed)
    : epoch_steps_(epoch_steps), seed_(seed), steps_(sizes.size(), 1) {
  require(!sizes.empty() && epoch_steps >= static_cast<std::int64_t>(sizes.size()), Kind::internal,
          "schedule: expected a step for each of {} tasks, found {}", sizes.size(), epoch_steps);
  std::vector<double> wanted;
  double sum = 0;
  for (const std::int64_t size : sizes)
    sum += wanted.emplace_back(std::pow(static_cast<double>(size), alpha));
  for (double& steps : wanted) steps *= static_cast<double>(epoch_steps) / sum;
  // One by one to the task that is farthest from its part.
  for (auto left = epoch_steps - static_cast<std::int64_t>(sizes.size()); left > 0; --left) {
    std::size_t next = 0;
    for (std::size_t task = 1; task < wanted.size(); ++task) {
      const auto lacks = [&](std::size_t t) { return wanted[t] - static_cast<double>(steps_[t]); };
      if (lacks(task) > lacks(next)) next = task;
    }
    ++steps_[next];
  }
}

TaskSchedule::Turn TaskSchedule::at(std::int64_t step) {
  const std::int64_t epoch = step / epoch_steps_ + 1;
  if (epoch != epoch_) {
    turns_.clear();
    for (std::size_t task = 0; task < steps_.size(); ++task)
      turns_.insert(turns_.end(), static_cast<std::size_t>(steps_[task]), Turn{task, 0});
    Philox(seed_, kTurnStream | static_cast<std::uint64_t>(epoch)).shuffle(turns_);
    std::vector<std::int64_t> before(steps_.size(), 0);
    for (Turn& turn : turns_) turn.step = before[turn.task]++;
    epoch_ = epoch;
  }
  Turn turn = turns_[static_cast<std::size_t>(step % epoch_steps_)];
  turn.step += (epoch - 1) * steps_[turn.task];
  return turn;
}

}  // namespace fnet
