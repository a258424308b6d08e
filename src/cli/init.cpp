#include "model/init.h"

#include <spdlog/spdlog.h>

#include <memory>

#include "blocks/model.h"
#include "cli/command.h"
#include "core/error.h"
#include "core/file.h"
#include "model/kinds.h"
#include "model/weights.h"

namespace fnet::cli {
namespace {

struct Flags {
  std::string variant = "base", task = "encoder";
  std::vector<std::string> labels;
  std::filesystem::path out, tokenizer;
  std::vector<std::string> settings;
  std::uint64_t seed = 1;
};

Config configure(const Flags& flags, const std::optional<Tokenizer>& tokenizer) {
  Config config = Config::preset(flags.variant);
  config.task = flags.task;
  config.labels = flags.labels;
  require(config.has_head() == !config.labels.empty(), Kind::usage,
          "--labels: expected {}, found {}",
          config.has_head() ? "the head's labels" : "none without --task",
          config.labels.empty() ? "none" : "some");
  if (tokenizer) {
    const SpecialIds& special = tokenizer->special();
    config.set_vocabulary(tokenizer->vocab_size(), special.pad, special.bos, special.eos);
  }
  for (const std::string& setting : flags.settings) config.assign(setting);
  config.validate();
  require(!tokenizer || tokenizer->vocab_size() <= config.vocab_size, Kind::usage,
          "--set vocab_size: expected at least the tokenizer's {} pieces, found {}",
          tokenizer ? tokenizer->vocab_size() : 0, config.vocab_size);
  return config;
}

void run(const Flags& flags) {
  std::optional<Tokenizer> tokenizer;
  if (!flags.tokenizer.empty()) tokenizer = Tokenizer::load(flags.tokenizer);
  const Config config = configure(flags, tokenizer);

  make_new_directory(flags.out);
  const std::vector<WeightSpec> specs = model_weights(config);
  std::vector<float> values;
  std::int64_t count = 0;
  save_weights(flags.out, specs, [&](const std::string& name) -> std::span<const float> {
    const auto spec = std::find_if(specs.begin(), specs.end(),
                                   [&](const WeightSpec& s) { return s.name == name; });
    values = initial_values(*spec, config.initializer_range, flags.seed);
    count += static_cast<std::int64_t>(values.size());
    return values;
  });
  if (tokenizer) tokenizer->save(flags.out);
  write_file(flags.out / "config.json", config.to_json());
  spdlog::info("{}: {} parameters", flags.out.string(), count);
}

}  // namespace

Action declare_init(CLI::App& app) {
  const auto flags = std::make_shared<Flags>();
  std::vector<std::string> variants;
  for (const std::string_view name : Config::variants()) variants.emplace_back(name);
  app.add_option("--variant", flags->variant, "architecture to begin with")
      ->check(one_of(variants))
      ->capture_default_str();
  app.add_option("--out", flags->out, "directory to make")->required();
  app.add_option("--tokenizer", flags->tokenizer, "SentencePiece model, or directory with one");
  std::vector<std::string> tasks;
  for (const KindRow& row : task_kinds()) tasks.emplace_back(row.name);
  app.add_option("--task", flags->task, "the head, whose weights are random too")
      ->check(one_of(tasks))
      ->capture_default_str();
  app.add_option("--labels", flags->labels, "the head's labels, parted by commas")->delimiter(',');
  app.add_option("--set", flags->settings, "a key of config.json: key=value; may be given again")
      ->allow_extra_args(false);
  app.add_option("--seed", flags->seed, "of the random weights")->capture_default_str();
  return [flags] { run(*flags); };
}

}  // namespace fnet::cli
