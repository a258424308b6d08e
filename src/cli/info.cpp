#include <fmt/ranges.h>

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>

#include "blocks/model.h"
#include "cli/command.h"
#include "cli/common_flags.h"
#include "cli/layers.h"
#include "cli/output.h"
#include "core/cores.h"
#include "core/error.h"
#include "kernels/caches.h"
#include "kernels/kernels.h"
#include "model/kinds.h"

namespace fnet::cli {
namespace {

using nlohmann::ordered_json;

struct Flags {
  std::filesystem::path directory;
  bool json = false, time = false;
  std::int64_t length = 128;
  int threads = 0;
};

// ---- without DIR: what this build offers --------------------------------------------------------

struct NamedTable {
  std::string_view key;
  std::span<const KindRow> rows;
};

std::vector<NamedTable> tables() {
  return {{"norm_type", norm_kinds()}, {"ffn_type", ffn_kinds()},
          {"mixer", mixer_kinds()},    {"pooling", pooling_kinds()},
          {"task", task_kinds()},      {"hidden_act", activation_kinds()}};
}

/// Parameters by part; the parts' names are those of config.json's world.
ordered_json parameters(const Config& config) {
  std::int64_t embeddings = 0, encoder = 0, pooler = 0, head = 0;
  for (const WeightSpec& spec : model_weights(config)) {
    const auto count = static_cast<std::int64_t>(spec.size());
    const std::string_view place = encoder_place(config);
    std::string_view name = spec.name;
    if (!place.empty() && !name.starts_with(place)) {
      head += count;
      continue;
    }
    if (!place.empty()) name.remove_prefix(place.size() + 1);
    (name.starts_with("embeddings.")                                         ? embeddings
     : name.starts_with("pooler.") || name.starts_with("attention_pooling.") ? pooler
                                                                             : encoder) += count;
  }
  return {{"embeddings", embeddings},
          {"encoder", encoder},
          {"pooler", pooler},
          {"head", head},
          {"total", embeddings + encoder + pooler + head}};
}

ordered_json preset_json(std::string_view name) {
  const Config c = Config::preset(name);
  return {{"hidden_size", c.hidden_size},
          {"num_hidden_layers", c.num_hidden_layers},
          {"intermediate_size", c.intermediate_size},
          {"parameters", parameters(c)["total"]}};
}

std::string training_text(const ordered_json& all) {
  if (!all["trainer"].is_null()) return all["trainer"].get<std::string>();
  if (!all.contains("trainer_lacks")) return "no: this is a lean install";
  return fmt::format("no: fnet-train does not find {}; put its folder into LD_LIBRARY_PATH",
                     fmt::join(all["trainer_lacks"].get<std::vector<std::string>>(), ", "));
}

ordered_json build_json() {
  ordered_json isas = ordered_json::array();
  for (const kernels::Table* table : kernels::tables()) isas.push_back(table->name);
  const std::filesystem::path trainer = find_program("fnet-train");
  const std::vector<std::string> missing =
      trainer.empty() ? std::vector<std::string>() : missing_libraries(trainer);
  ordered_json all = {
      {"version", FNET_VERSION},
      {"compiler", __VERSION__},
      {"cores", available_cores()},
      {"isa",
       {{"name", kernels::table().name}, {"reason", kernels::table_reason()}, {"available", isas}}},
      {"caches",
       {{"l1", kernels::cache_sizes().l1},
        {"l2", kernels::cache_sizes().l2},
        {"l3", kernels::cache_sizes().l3}}},
      {"trainer",
       trainer.empty() || !missing.empty() ? ordered_json() : ordered_json(trainer.string())}};
  if (!missing.empty()) all["trainer_lacks"] = missing;
  const std::filesystem::path exporter = find_program("fnet-export");
  all["exporter"] = exporter.empty() ? ordered_json() : ordered_json(exporter.string());
  ordered_json help;
  for (const NamedTable& table : tables()) {
    for (const KindRow& row : table.rows) {
      all[table.key].push_back(row.name);
      help[table.key][std::string(row.name)] = row.help;
    }
  }
  for (const std::string_view name : Config::variants()) {
    all["variant"].push_back(name);
    all["presets"][std::string(name)] = preset_json(name);
  }
  for (const Config::Field& field : Config().describe()) {
    all["config"].push_back({{"name", field.name},
                             {"default", field.value},
                             {"allowed", field.allowed},
                             {"help", field.help}});
  }
  all["help"] = help;
  for (const PartOption& option : part_options()) {
    all["options"].push_back({{"key", option.key},
                              {"part", option.part},
                              {"name", option.name},
                              {"default", option.value},
                              {"allowed", option.allowed},
                              {"help", option.help}});
  }
  return all;
}

std::string build_text(const ordered_json& all) {
  const ordered_json& isa = all["isa"];
  const auto caches = all["caches"];
  const auto kib = [&](const char* level) { return caches[level].get<std::size_t>() >> 10; };
  std::string text = fmt::format(
      "fnet {}, compiler {}\ncores    {}\ncaches   {} KiB, {} KiB, {} KiB of L3 a core\n"
      "isa      {}: {}; this machine runs {}\ntraining {}\n",
      all["version"].get<std::string>(), all["compiler"].get<std::string>(),
      all["cores"].get<int>(), kib("l1"), kib("l2"), kib("l3"), isa["name"].get<std::string>(),
      isa["reason"].get<std::string>(),
      fmt::join(isa["available"].get<std::vector<std::string>>(), ", "), training_text(all));
  for (const NamedTable& table : tables()) {
    text += fmt::format("\n{}\n", table.key);
    for (const KindRow& row : table.rows) text += fmt::format("  {:20} {}\n", row.name, row.help);
  }
  text += "\noptions\n";
  for (const PartOption& option : part_options()) {
    text += fmt::format("  {:20} {}.{}={}: {} ({})\n", option.part, option.key, option.name,
                        option.value, option.help, option.allowed);
  }
  text += "\nvariant               hidden  layers  intermediate   parameters\n";
  for (const auto& [name, preset] : all["presets"].items()) {
    text +=
        fmt::format("  {:18} {:7} {:7} {:13} {:12}\n", name, preset["hidden_size"].get<int>(),
                    preset["num_hidden_layers"].get<int>(), preset["intermediate_size"].get<int>(),
                    preset["parameters"].get<std::int64_t>());
  }
  return text;
}

// ---- of a model ---------------------------------------------------------------------------------

/// The variant whose architecture the model has.
std::string variant_of(const Config& config) {
  for (const std::string_view name : Config::variants()) {
    const Config c = Config::preset(name);
    if (c.hidden_size == config.hidden_size && c.num_hidden_layers == config.num_hidden_layers &&
        c.intermediate_size == config.intermediate_size) {
      return std::string(name);
    }
  }
  return "custom";
}

ordered_json model_json(const Flags& flags, const Config& config) {
  const std::filesystem::path& directory = flags.directory;
  ordered_json all = {{"variant", variant_of(config)}, {"task", config.task}};
  const ordered_json keys = ordered_json::parse(config.to_json());
  for (const auto& [key, value] : keys.items()) {
    if (key != "id2label" && key != "label2id") all[key] = value;
  }
  all["mixer"] =
      config.mixers.size() == 1 ? ordered_json(config.mixers[0]) : ordered_json(config.mixers);
  all["labels"] = config.labels;
  all["parameters"] = parameters(config);
  all["length"] = std::min(flags.length, config.longest_text());
  all["layers"] = layers_json(config, all["length"]);
  if (flags.time) {
    EngineOptions options;
    options.threads = flags.threads;
    measure_layers(all["layers"], Engine::load(directory, options), all["length"]);
  }
  all["memory"] = {{"float32", all["parameters"]["total"].get<std::int64_t>() * 4}};
  all["files"] = ordered_json::object();
  std::vector<std::filesystem::directory_entry> entries(
      std::filesystem::directory_iterator(directory), {});
  std::sort(entries.begin(), entries.end());
  for (const auto& entry : entries) {
    if (entry.is_regular_file()) all["files"][entry.path().filename().string()] = entry.file_size();
  }
  return all;
}

std::string megabytes(std::int64_t bytes) {
  return fmt::format("{:.1f} MB", static_cast<double>(bytes) / 1e6);
}

std::string model_text(const ordered_json& all, const Config& config) {
  std::string text =
      fmt::format("variant  {}\ntask     {}\n", all["variant"].get<std::string>(), config.task);
  text += fmt::format("lengths  {}\n", config.length_policy);
  if (!config.labels.empty()) {
    text += fmt::format("labels   {}: {}\n", config.labels.size(),
                        printable(fmt::format("{}", fmt::join(config.labels, ", "))));
  }
  const std::vector<std::string> heads = config.head_names();
  for (const std::string& key : heads) {
    if (config.heads.empty()) break;  // its own is told above
    const HeadConfig head = config.head(key);
    text += fmt::format("head     {}: {}", printable(config.head_title(key)), head.task);
    if (!head.labels.empty()) text += fmt::format(", {} labels", head.labels.size());
    text += key.empty() ? ", the model's own\n" : "\n";
  }
  if (config.wide_features > 0)
    text += fmt::format("wide     {} words and pairs of words\n", config.wide_features);
  text += "\nparameters\n";
  for (const auto& [part, count] : all["parameters"].items()) {
    text += fmt::format("  {:28} {:>12}\n", part, count.get<std::int64_t>());
  }
  text += fmt::format("  {:28} {:>12}\n", "memory in float32",
                      megabytes(all["memory"]["float32"].get<std::int64_t>()));
  text += fmt::format("\nlayers, with shares of the work for a text of {} tokens\n{}",
                      all["length"].get<std::int64_t>(), layers_text(all["layers"]));
  text += "\nfiles\n";
  for (const auto& [name, bytes] : all["files"].items()) {
    text += fmt::format("  {:28} {:>12}\n", printable(name), megabytes(bytes.get<std::int64_t>()));
  }
  text += "\nconfiguration\n";
  for (const Config::Field& field : config.describe()) {
    if (!config.uses(field.name)) continue;
    text += fmt::format("  {:28} {:>12}  {}\n", field.name, field.value, field.help);
  }
  return text;
}

void run(const Flags& flags) {
  if (flags.directory.empty()) {
    const ordered_json all = build_json();
    print(flags.json ? all.dump(2) + '\n' : build_text(all));
  } else {
    const Config config = Config::load(flags.directory);
    const ordered_json all = model_json(flags, config);
    print(flags.json ? all.dump(2) + '\n' : model_text(all, config));
  }
  flush();
}

}  // namespace

Action declare_info(FlagSet& set) {
  const auto flags = std::make_shared<Flags>();
  set.add("DIR", &flags->directory, "model directory; without it: this build and its tables",
          {.model = true});
  set.add("--time", &flags->time, "run it, and show what share of the time each layer takes");
  set.add("--length", &flags->length, "tokens of the text whose work is shared among the layers",
          {.range = Range{1, 1'000'000}});
  add_threads(set, flags->threads);
  set.add("--json", &flags->json, "one JSON object");
  return [flags] { run(*flags); };
}

}  // namespace fnet::cli
