#include "tasks/task.h"

#include <fmt/ranges.h>

#include "core/error.h"
#include "tasks/text_classification.h"
#include "tasks/token_classification.h"

namespace fnet {
namespace {

// The one list of tasks.
const std::vector<std::unique_ptr<const Task>>& task_table() {
  static const auto table = [] {
    std::vector<std::unique_ptr<const Task>> tasks;
    tasks.push_back(std::make_unique<TextClassificationTask>("text-classification"));
    tasks.push_back(std::make_unique<TokenClassificationTask>("token-classification"));
    return tasks;
  }();
  return table;
}

}  // namespace

const Task& find_task(std::string_view name) {
  std::vector<std::string_view> names;
  for (const auto& task : task_table()) {
    if (task->name() == name) return *task;
    names.push_back(task->name());
  }
  fail(Kind::usage, "task: expected {}, found '{}'", fmt::join(names, " or "), printable(name));
}

}  // namespace fnet
