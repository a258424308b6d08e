#include "train/run_json.h"

#include <fmt/core.h>

#include <utility>

#include "core/error.h"
#include "core/file.h"
#include "core/hash.h"
#include "core/json.h"
#include "kernels/kernels.h"
#include "model/weights.h"
#include "text/tokenizer_files.h"
#include "train/finetune_options.h"
#include "train/json_options.h"
#include "train/task_config.h"

namespace fnet {
namespace {

/// Of a file's bytes; empty for a pipe.
std::string hash_of(const std::filesystem::path& path) {
  std::error_code error;
  return std::filesystem::is_regular_file(path, error) ? sha256_of_file(path) : "";
}

/// Of the tokenizer's file that is not learnt from the data.
std::string tokenizer_hash(const FinetuneOptions& o) {
  const std::filesystem::path path = o.tokenizer.empty() ? o.from : o.tokenizer;
  return hash_of(path_is_directory(path) ? tokenizer_file(path) : path);
}

nlohmann::ordered_json data_json(const std::filesystem::path& path,
                                 const std::vector<Example>& examples) {
  return {{"file", path.string()},
          {"sha256", hash_of(path)},
          {"examples", examples.size()},
          {"fingerprint", fmt::format("{:016x}", fingerprint(examples))}};
}

/// A member of run.json, where there is one, as the value of an option.
template <class T>
void take(const nlohmann::json& json, const std::string& source, std::string_view name, T& value) {
  const auto found = json.find(std::string(name));
  if (found != json.end() && !found->is_null()) assign(*found, source, name, value);
}

}  // namespace

nlohmann::ordered_json run_versions() { return {{"fnet", FNET_VERSION}, {"torch", TORCH_VERSION}}; }

nlohmann::ordered_json options_json(const FinetuneOptions& o) {
  nlohmann::ordered_json run = run_versions();
  run_options(
      [&](std::string_view name, auto member) { run[std::string(name)] = json_of(o.*member); });
  column_options([&](const char* name, auto member) { run["columns"][name] = o.columns.*member; });
  return run;
}

nlohmann::ordered_json paths_json(const std::vector<std::filesystem::path>& paths) {
  nlohmann::ordered_json list = nlohmann::ordered_json::array();
  for (const std::filesystem::path& path : paths) list.push_back(path.string());
  return list;
}

nlohmann::ordered_json run_json(const FinetuneOptions& options, const TrainingSetup& setup) {
  FinetuneOptions o = options;
  if (!setup.several()) static_cast<TaskOptions&>(o) = setup.tasks.front().options;
  nlohmann::ordered_json run = options_json(o);
  if (!o.from.empty()) run["variant"] = "";
  for (const TaskSetup& task : setup.tasks) {
    const nlohmann::ordered_json data = {
        {"train", data_json(task.options.train, task.train_examples)},
        {"dev", data_json(dev_file(task.options), task.dev_examples)}};
    if (setup.several()) {
      run["data"][task.options.name] = data;
    } else {
      run["data"] = data;
    }
  }
  if (setup.several()) {
    std::vector<NamedTask> tasks;
    for (const TaskSetup& task : setup.tasks) {
      tasks.push_back(task.options);
      tasks.back().metric = task.metric;
    }
    for (const char* name : {"task", "problem_type", "train", "dev"}) run.erase(name);
    run["tasks"] = tasks_json(tasks);
    run["alpha"] = o.alpha;
  }
  run["from_sha256"] = weight_hashes(o.from);
  if (!o.tokenizer.empty() || !o.from.empty()) run["tokenizer_sha256"] = tokenizer_hash(o);
  if (!setup.weights.is_null()) run["weights"] = setup.weights;
  run["frozen"] = setup.frozen;
  run["metric"] = setup.metric;
  run["threads"] = at::get_num_threads();
  run["isa"] = kernels::table().name;
  run["config"] = nlohmann::ordered_json::parse(setup.config().to_json());
  return run;
}

FinetuneOptions load_run(const std::filesystem::path& file) {
  const nlohmann::ordered_json ordered = read_ordered_json_file(file);
  const nlohmann::json json = ordered;
  const std::string source = file.string();
  const bool several = json.is_object() && json.contains("tasks");
  require(several || (json.is_object() && json.contains("train") && json.contains("task")),
          Kind::input, "{}: expected the run.json of a training, with 'task' and 'train'", source);
  FinetuneOptions o;
  run_options([&](std::string_view name, auto member) { take(json, source, name, o.*member); });
  if (o.variant.empty()) o.variant = FinetuneOptions().variant;
  if (const auto columns = json.find("columns"); columns != json.end() && columns->is_object()) {
    column_options([&](std::string_view name, auto member) {
      take(*columns, source, name, o.columns.*member);
    });
  }
  if (several) {
    take(json, source, "alpha", o.alpha);
    o.tasks = tasks_from_json(ordered["tasks"], source, {}, o);
  }
  return o;
}

}  // namespace fnet
