#include "train/run_json.h"

#include <fmt/core.h>

#include <utility>

#include "core/error.h"
#include "core/hash.h"
#include "core/json.h"
#include "model/weights.h"
#include "train/finetune_options.h"

namespace fnet {
namespace {

/// Of a file's bytes; empty for a pipe.
std::string hash_of(const std::filesystem::path& path) {
  std::error_code error;
  return std::filesystem::is_regular_file(path, error) ? sha256_of_file(path) : "";
}

nlohmann::ordered_json data_json(const std::filesystem::path& path,
                                 const std::vector<Example>& examples) {
  return {{"file", path.string()},
          {"sha256", hash_of(path)},
          {"examples", examples.size()},
          {"fingerprint", fmt::format("{:016x}", fingerprint(examples))}};
}

/// A member of run.json as the value of an option.
template <class T>
void assign(const nlohmann::json& json, const std::string& source, std::string_view name,
            T& value) {
  const auto found = json.find(std::string(name));
  if (found == json.end() || found->is_null()) return;
  if constexpr (std::is_same_v<T, std::vector<std::string>> ||
                std::is_same_v<T, std::vector<std::int64_t>>) {
    require(found->is_array(), Kind::input, "{}: {}: expected a list, found {}", source, name,
            found->type_name());
    for (const auto& one : *found)
      value.push_back(json_cast<typename T::value_type>(one, source, name));
  } else if constexpr (std::is_integral_v<T> && !std::is_same_v<T, bool>) {
    const auto number = json_cast<std::int64_t>(*found, source, name);
    require(std::in_range<T>(number), Kind::input, "{}: {}: expected a smaller number, found {}",
            source, name, number);
    value = static_cast<T>(number);
  } else if constexpr (std::is_same_v<T, std::filesystem::path>) {
    value = json_cast<std::string>(*found, source, name);
  } else {
    value = json_cast<T>(*found, source, name);
  }
}

}  // namespace

nlohmann::ordered_json run_versions() { return {{"fnet", FNET_VERSION}, {"torch", TORCH_VERSION}}; }

nlohmann::ordered_json run_json(const FinetuneOptions& o, const TrainingSetup& setup) {
  nlohmann::ordered_json run = run_versions();
  run_options([&](std::string_view name, auto member) {
    const auto& value = o.*member;
    if constexpr (std::is_same_v<std::decay_t<decltype(value)>, std::filesystem::path>)
      run[std::string(name)] = value.string();
    else
      run[std::string(name)] = value;
  });
  column_options([&](const char* name, auto member) { run["columns"][name] = o.columns.*member; });
  if (!o.from.empty()) run["variant"] = "";
  run["data"] = {{"train", data_json(o.train, setup.train_examples)},
                 {"dev", data_json(dev_file(o), setup.dev_examples)}};
  run["from_sha256"] = weight_hashes(o.from);
  if (!setup.weights.is_null()) run["weights"] = setup.weights;
  run["frozen"] = setup.frozen;
  run["metric"] = setup.metric;
  run["threads"] = at::get_num_threads();
  run["config"] = nlohmann::ordered_json::parse(setup.config().to_json());
  return run;
}

FinetuneOptions load_run(const std::filesystem::path& file) {
  const nlohmann::json json = read_json_file(file);
  const std::string source = file.string();
  require(json.is_object() && json.contains("train") && json.contains("task"), Kind::input,
          "{}: expected the run.json of a training, with 'task' and 'train'", source);
  FinetuneOptions o;
  run_options([&](std::string_view name, auto member) { assign(json, source, name, o.*member); });
  if (o.variant.empty()) o.variant = FinetuneOptions().variant;
  if (const auto columns = json.find("columns"); columns != json.end() && columns->is_object()) {
    column_options([&](std::string_view name, auto member) {
      assign(*columns, source, name, o.columns.*member);
    });
  }
  return o;
}

}  // namespace fnet
