#include "train/multi_task.h"

#include <fmt/core.h>

#include <utility>

namespace fnet {
namespace {

constexpr const char* kMean = "mean";

std::string name_of(const std::string& task, const std::string& metric) {
  return fmt::format("{}.{}", task, metric);
}

}  // namespace

MultiTaskSource::MultiTaskSource(std::vector<std::unique_ptr<Source>> tasks, TaskSchedule schedule)
    : tasks_(std::move(tasks)), schedule_(std::move(schedule)) {}

std::vector<Sample> MultiTaskSource::batch(std::int64_t step) {
  const TaskSchedule::Turn turn = schedule_.at(step);
  return tasks_[turn.task]->batch(turn.step);
}

std::string MultiTaskSource::place(std::int64_t step) {
  const TaskSchedule::Turn turn = schedule_.at(step);
  return tasks_[turn.task]->place(turn.step);
}

MultiTaskObjective::MultiTaskObjective(std::vector<Part> parts, TaskSchedule schedule)
    : parts_(std::move(parts)), schedule_(std::move(schedule)) {}

std::vector<double> MultiTaskObjective::terms(std::span<const Sample> batch, std::int64_t step) {
  return parts_[schedule_.at(step).task].objective->terms(batch, step);
}

Objective::Result MultiTaskObjective::loss(std::span<const Sample> batch, const StepPart& part) {
  const Part& own = parts_[schedule_.at(part.step).task];
  Result result = own.objective->loss(batch, part);
  result.loss = result.loss * own.weight;
  return result;
}

Evaluation MultiTaskObjective::evaluate() {
  Evaluation all;
  all.unit = "examples";
  double sum = 0;
  for (std::size_t i = 0; i < parts_.size(); ++i) {
    const Part& part = parts_[i];
    Evaluation own = part.objective->evaluate();
    own.head = part.name;
    all.count += own.count;
    all.cut_off += own.cut_off;
    // As the training loss counts it, so that the two curves can be compared.
    all.loss += own.loss * part.weight * static_cast<double>(schedule_.steps()[i]) /
                static_cast<double>(schedule_.epoch_steps());
    sum += own.metric(part.metric);
    for (const auto& [name, value] : own.metrics)
      all.metrics.emplace_back(name_of(part.name, name), value);
    all.heads.push_back(std::move(own));
  }
  all.metrics.insert(all.metrics.begin(), {kMean, sum / static_cast<double>(parts_.size())});
  return all;
}

std::vector<std::string> MultiTaskObjective::metrics(
    const std::vector<std::pair<std::string, std::vector<std::string>>>& tasks) {
  std::vector<std::string> names = {kMean};
  for (const auto& [task, own] : tasks) {
    for (const std::string& metric : own) names.push_back(name_of(task, metric));
  }
  return names;
}

}  // namespace fnet
