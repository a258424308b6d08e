#include "train/task_config.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <set>
#include <type_traits>
#include <utility>

#include "core/error.h"
#include "core/json.h"
#include "model/config_fields.h"
#include "train/finetune_options.h"
#include "train/json_options.h"

namespace fnet {
namespace {

using Json = nlohmann::ordered_json;

/// What a task has beside its TaskOptions.
template <class Visit>
void named_options(Visit&& option) {
  option("weight", &NamedTask::weight);
  option("pooling", &NamedTask::pooling);
  option("head_options", &NamedTask::head_options);
  option("num_labels", &NamedTask::num_labels);
}

/// The Keras seed's names of what is here.
constexpr std::array<std::array<std::string_view, 2>, 4> kSeedNames = {
    {{"task_type", "task"},
     {"loss_weight", "weight"},
     {"num_classes", "num_labels"},
     {"pooling_type", "pooling"}}};

/// Those of its fields that no task has for itself, and what to use.
constexpr std::array<std::array<std::string_view, 2>, 8> kOfAll = {
    {{"max_length", "is one for all tasks: --max-length"},
     {"dropout_rate", "is the model's: --set hidden_dropout_prob=…"},
     {"hidden_size", "is the model's: --set hidden_size=…"},
     {"vocabulary_size", "is the tokenizer's: --vocab-size"},
     {"use_crf", "stands for a layer that no head has, there or here: leave it out"},
     {"beam_size", "is of writing text, which an encoder does not: leave it out"},
     {"temperature", "is of writing text, which an encoder does not: leave it out"},
     {"labels", "are those of the training data: leave them out"}}};

std::vector<std::string_view> known_keys() {
  std::vector<std::string_view> keys = {"name", "main", "columns", "use_attention_pooling"};
  const auto add = [&](std::string_view name, auto) { keys.push_back(name); };
  task_options(add);
  named_options(add);
  for (const auto& [theirs, ours] : kSeedNames) keys.push_back(theirs);
  return keys;
}

[[noreturn]] void fail_unknown(const std::string& source, const std::string& place,
                               const std::string& key, const std::vector<std::string_view>& known) {
  for (const auto& [name, reason] : kOfAll) {
    if (key == name) fail(Kind::input, "{}: {}.{} {}", source, place, key, reason);
  }
  const std::string near = nearest(key, known);
  fail(Kind::input, "{}: {}: expected {}, found '{}'{}", source, place, fmt::join(known, ", "),
       printable(key), near.empty() ? "" : fmt::format("; did you mean '{}'?", near));
}

/// Reads the entry of one task.
class TaskReader {
 public:
  TaskReader(const std::string& source, std::string place, const std::filesystem::path& folder,
             NamedTask task)
      : source_(source), place_(std::move(place)), folder_(folder), task_(std::move(task)) {}

  NamedTask read(const Json& json) {
    require(json.is_object(), Kind::input, "{}: {}: expected an object, found {}", source_, place_,
            json.type_name());
    for (const auto& [key, value] : json.items()) read(key, nlohmann::json(value));
    require(!task_.train.empty(), Kind::input,
            "{}: {}: expected train, a file with training data, found none", source_, place_);
    return std::move(task_);
  }

  bool main() const { return main_; }

 private:
  void read(const std::string& key, const nlohmann::json& value) {
    std::string name = key;
    for (const auto& [theirs, ours] : kSeedNames) {
      if (key == theirs) name = ours;
    }
    const std::string place = place_ + "." + key;
    bool found = false;
    const auto take = [&](std::string_view option, auto member) {
      if (option != name) return;
      found = true;
      require(given_.insert(name).second, Kind::input, "{}: {}: expected {} once, found it again",
              source_, place, name);
      assign(value, source_, place, task_.*member);
      if constexpr (std::is_same_v<std::decay_t<decltype(task_.*member)>, std::filesystem::path>) {
        if (!(task_.*member).empty()) task_.*member = folder_ / task_.*member;
      }
    };
    task_options(take);
    named_options(take);
    if (found) return;
    if (key == "name") {
      std::string own;
      assign(value, source_, place, own);
      require(task_.name.empty() || task_.name == own, Kind::input,
              "{}: {}: expected '{}', found '{}'", source_, place, task_.name, printable(own));
      task_.name = own;
    } else if (key == "main") {
      assign(value, source_, place, main_);
    } else if (key == "use_attention_pooling") {
      bool use = false;
      assign(value, source_, place, use);
      if (use) task_.pooling = "attention";
    } else if (key == "columns") {
      read_columns(place, value);
    } else {
      fail_unknown(source_, place_, key, known_keys());
    }
  }

  void read_columns(const std::string& place, const nlohmann::json& json) {
    require(json.is_object(), Kind::input, "{}: {}: expected an object, found {}", source_, place,
            json.type_name());
    std::vector<std::string_view> known;
    column_options([&](std::string_view name, auto) { known.push_back(name); });
    for (const auto& [key, value] : json.items()) {
      bool found = false;
      column_options([&, &column = key, &text = value](std::string_view name, auto member) {
        if (name != column) return;
        assign(text, source_, place + "." + column, task_.columns.*member);
        found = true;
      });
      if (!found) fail_unknown(source_, place, key, known);
    }
  }

  const std::string& source_;
  std::string place_;
  const std::filesystem::path& folder_;
  NamedTask task_;
  std::set<std::string> given_;
  bool main_ = false;
};

}  // namespace

void check_task_name(const std::string& name) {
  const auto fits = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-';
  };
  require(!name.empty() && name.size() <= 64 && std::ranges::all_of(name, fits), Kind::usage,
          "tasks: expected names of 1 to 64 letters, digits, '_' and '-', found '{}'",
          printable(name));
  require(name != "all", Kind::usage,
          "tasks: expected another name than 'all', which stands for every head");
}

std::vector<NamedTask> tasks_from_json(const Json& json, const std::string& source,
                                       const std::filesystem::path& folder,
                                       const TaskOptions& base) {
  require(json.is_object() || json.is_array(), Kind::input,
          "{}: tasks: expected an object of tasks by name, or a list of them, found {}", source,
          json.type_name());
  require(!json.empty(), Kind::input, "{}: tasks: expected at least one, found none", source);
  std::vector<NamedTask> tasks;
  std::string main;
  std::size_t number = 0;
  for (const auto& [key, entry] : json.items()) {
    NamedTask begin{base, json.is_object() ? key : "", 1, "", {}, 0};
    const std::string place =
        json.is_object() ? "tasks." + printable(key) : fmt::format("tasks[{}]", number++);
    TaskReader reader(source, place, folder, std::move(begin));
    NamedTask task = reader.read(entry);
    require(!task.name.empty(), Kind::input, "{}: {}: expected a name, found none", source, place);
    if (reader.main()) {
      require(main.empty(), Kind::input, "{}: {}: expected one main task, found '{}' before it",
              source, place, printable(main));
      main = task.name;
    }
    tasks.push_back(std::move(task));
  }
  const auto first = std::ranges::find(tasks, main, &NamedTask::name);
  if (first != tasks.end()) std::rotate(tasks.begin(), first, first + 1);
  return tasks;
}

Json tasks_json(std::span<const NamedTask> tasks) {
  Json json = Json::object();
  for (const NamedTask& task : tasks) {
    Json& entry = json[task.name] = Json::object();
    const auto add = [&](std::string_view name, auto member) {
      entry[std::string(name)] = json_of(task.*member);
    };
    task_options(add);
    named_options(add);
    column_options(
        [&](const char* name, auto member) { entry["columns"][name] = task.columns.*member; });
  }
  return json;
}

void load_tasks(const std::filesystem::path& file, FinetuneOptions& options) {
  const Json json = read_ordered_json_file(file);
  const std::string source = file.string();
  require(json.is_object() && json.contains("tasks"), Kind::input,
          "{}: expected an object with tasks, found none", source);
  const std::vector<std::string_view> known = {"tasks", "alpha", "metric"};
  TaskOptions base = options;
  const TaskOptions fresh;
  base.task = fresh.task, base.problem_type = fresh.problem_type, base.metric = fresh.metric;
  base.train = fresh.train, base.dev = fresh.dev;
  for (const auto& [key, value] : json.items()) {
    if (key == "tasks") {
      options.tasks = tasks_from_json(value, source, file.parent_path(), base);
    } else if (key == "alpha") {
      assign(nlohmann::json(value), source, key, options.alpha);
    } else if (key == "metric") {
      std::string metric;
      assign(nlohmann::json(value), source, key, metric);
      if (options.metric.empty()) options.metric = metric;
    } else {
      const std::string near = nearest(key, known);
      fail(Kind::input, "{}: expected {}, found '{}'{}", source, fmt::join(known, ", "),
           printable(key), near.empty() ? "" : fmt::format("; did you mean '{}'?", near));
    }
  }
  options.task = fresh.task, options.problem_type = fresh.problem_type;
  options.train = fresh.train, options.dev = fresh.dev;
}

}  // namespace fnet
