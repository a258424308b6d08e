#include "tasks/task.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cctype>

#include "core/error.h"
#include "model/other_names.h"
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

HeadConfig head_for_task(std::string_view name, std::string_view problem_type) {
  HeadConfig head;
  for (const char c : name) {
    head.task += c == '_' ? '-' : static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  }
  if (const OtherName* other = other_name("task", head.task)) {
    require(!other->settings.empty(), Kind::usage, "task: '{}' {}", printable(name), other->reason);
    const std::size_t space = std::min(other->settings.find(' '), other->settings.size());
    constexpr std::string_view kTask = "task=", kProblem = " problem_type=";
    head.task = other->settings.substr(kTask.size(), space - kTask.size());
    if (space < other->settings.size())
      head.problem_type = other->settings.substr(space + kProblem.size());
  }
  require(head.problem_type.empty() || problem_type.empty() || head.problem_type == problem_type,
          Kind::usage, "problem_type: expected {} for {}, found '{}'", head.problem_type,
          printable(name), printable(problem_type));
  if (head.problem_type.empty()) head.problem_type = problem_type;
  if (head.task == "encoder") return head;
  try {
    task_of(head);
  } catch (const Error& error) {
    fail(Kind::usage, "{}", error.what());
  }
  return head;
}

}  // namespace fnet
