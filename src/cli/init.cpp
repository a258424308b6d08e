#include "model/init.h"

#include <memory>

#include "blocks/model.h"
#include "cli/command.h"
#include "cli/common_flags.h"
#include "cli/log.h"
#include "core/error.h"
#include "core/file.h"
#include "model/batch.h"
#include "model/kinds.h"
#include "model/weights.h"
#include "tasks/task.h"

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
  const HeadConfig head = head_for_task(flags.task);
  config.task = head.task, config.problem_type = head.problem_type;
  config.labels = flags.labels;
  const bool labelled = config.has_head() && has_labels(config.task);
  require(labelled == !config.labels.empty(), Kind::usage, "--labels: expected {}, found {}",
          labelled            ? "the head's labels"
          : config.has_head() ? "none for this task"
                              : "none without --task",
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
  Config input;
  for (const std::string& setting : flags.settings) input.assign(setting);
  require(input.input_type == "tokens" || flags.tokenizer.empty(), Kind::usage,
          "--tokenizer: expected none for input_type {}, found {}", input.input_type,
          flags.tokenizer.string());
  std::optional<Tokenizer> tokenizer;
  if (!flags.tokenizer.empty()) tokenizer = load_tokenizer(flags.tokenizer);
  if (input.input_type == "dna") tokenizer = Tokenizer::dna(input.kmer_size);
  const Config config = configure(flags, tokenizer);

  const std::vector<WeightSpec> specs = model_weights(config);
  std::vector<float> values;
  std::int64_t count = 0;
  const auto weights = [&](const std::string& name) -> std::span<const float> {
    const auto spec = std::find_if(specs.begin(), specs.end(),
                                   [&](const WeightSpec& s) { return s.name == name; });
    values = initial_values(*spec, config.initializer_range, flags.seed);
    count += static_cast<std::int64_t>(values.size());
    return values;
  };
  write_new_directory(flags.out, [&](const std::filesystem::path& directory) {
    save_weights(directory, specs, weights);
    if (tokenizer) {
      const std::size_t most = most_tokens(config, tokenizer->config().model_max_length);
      tokenizer->with_max_length(static_cast<std::int64_t>(most)).save(directory);
    }
    write_file(directory / "config.json", config.to_json());
  });
  log_info("{}: {} parameters", flags.out.string(), count);
}

}  // namespace

Action declare_init(FlagSet& set) {
  const auto flags = std::make_shared<Flags>();
  add_variant(set, flags->variant, "architecture to begin with");
  set.add("--out", &flags->out, "directory to make", {.required = true, .letter = 'o'});
  set.add("--tokenizer", &flags->tokenizer,
          "SentencePiece model, vocab.txt, tokenizer.json of BERT, or a directory");
  set.add("--task", &flags->task, "the head, whose weights are random too",
          {.words = names_of(task_kinds()), .other_words = true});
  set.add("--labels", &flags->labels, "the head's labels, parted by commas", {.separator = ','});
  add_settings(set, flags->settings);
  set.add("--seed", &flags->seed, "of the random weights");
  return [flags] { run(*flags); };
}

}  // namespace fnet::cli
