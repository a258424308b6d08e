#include "tasks/task.h"

#include <fmt/ranges.h>

#include "core/error.h"
// Written by the build: every header of tasks.
#include "tasks/task_headers.h"

namespace fnet {
namespace {

const std::vector<std::unique_ptr<const Task>>& task_table() {
  static const auto table = [] {
    std::vector<std::unique_ptr<const Task>> tasks;
#define FNET_TASK(name, Head, Type, architecture, help) \
  tasks.push_back(std::make_unique<Type>(name));
#include "model/kinds.def"
    return tasks;
  }();
  return table;
}

}  // namespace

const Task& Task::for_head(const HeadConfig& head) const {
  require(head.problem_type.empty() || head.problem_type == "single_label_classification",
          Kind::input, "problem_type: expected none for {}, found '{}'", name(), head.problem_type);
  return *this;
}

const Task& find_task(std::string_view name) {
  std::vector<std::string_view> names;
  for (const auto& task : task_table()) {
    if (task->name() == name) return *task;
    names.push_back(task->name());
  }
  fail(Kind::usage, "task: expected {}, found '{}'", fmt::join(names, " or "), printable(name));
}

}  // namespace fnet
