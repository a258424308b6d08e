#include "train/setup.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <optional>
#include <utility>

#include "core/error.h"
#include "model/batch.h"
#include "model/family.h"
#include "model/kinds.h"
#include "train/check_option.h"
#include "train/finetune_options.h"
#include "train/multi_task.h"
#include "train/number_input.h"
#include "train/run_json.h"
#include "train/start.h"
#include "train/task_config.h"
#include "train/wide_head.h"

namespace fnet {
namespace {

using Log = std::function<void(std::string_view)>;

Config new_config(const FinetuneOptions& options, const Tokenizer& tokenizer) {
  Config config = Config::preset(options.variant);
  // Small data: a mean over all rows learns faster than the first row behind a pooler, and unscaled
  // transforms drown the residual.
  config.fourier_norm = "ortho";
  config.pooling = "mean";
  config.pooler = false;
  if (tokenizer) {
    const SpecialIds& special = tokenizer.special();
    config.set_vocabulary(tokenizer.vocab_size(), special.pad, special.bos, special.eos);
  }
  config.max_position_embeddings =
      std::max(config.max_position_embeddings, static_cast<std::int64_t>(options.max_length));
  return config;
}

/// Throws usage where an option's value is not allowed.
template <class Options>
void check_ranges(const Options& o) {
  finetune_options(
      [&](std::string_view name, auto member, const Allowed& allowed, std::string_view) {
        if constexpr (requires { o.*member; }) check_option(name, o.*member, allowed);
      });
}

/// Does something for one of several tasks; its errors begin with the task's name.
void for_task(const NamedTask& task, const std::function<void()>& run) {
  try {
    run();
  } catch (const Error& error) {
    if (task.name.empty() || error.kind() != Kind::usage) throw;
    throw error.within(task.name);
  }
}

void check_tasks(const FinetuneOptions& o) {
  require(o.train.empty() && o.dev.empty(), Kind::usage,
          "train: expected none beside several tasks, which have their own, found '{}'",
          o.train.empty() ? o.dev.string() : o.train.string());
  require(o.alpha >= 0 && o.alpha <= 1, Kind::usage, "alpha: expected 0 to 1, found {}", o.alpha);
  std::set<std::string> names;
  for (const NamedTask& task : o.tasks) {
    check_task_name(task.name);
    require(names.insert(task.name).second, Kind::usage,
            "tasks: expected each name once, found '{}' twice", task.name);
    for_task(task, [&] {
      check_ranges(task);
      require(!task.train.empty(), Kind::usage,
              "train: expected a file with training data, found none");
      require(
          std::isfinite(task.weight) && task.weight > 0, Kind::usage,
          "weight: expected more than 0, found {}; a task that is not to be learned is left out",
          task.weight);
      require(task.wide != "on" || &task == &o.tasks.front(), Kind::usage,
              "wide: expected auto or off for a head beside the model's own, found 'on'; the "
              "first task's head may have a wide part");
    });
  }
}

/// The tasks of the options, read: one without a name, or several. Of `input` counts what a model
/// reads.
std::vector<TaskSetup> read_tasks(const FinetuneOptions& o, const Config& input,
                                  std::size_t& skipped, const Log& log) {
  std::vector<NamedTask> named = tasks_of(o);
  std::vector<TaskSetup> tasks;
  for (NamedTask& task : named) {
    for_task(task, [&] { tasks.push_back(read_task(task, input, o.seed, skipped, log)); });
    if (tasks.size() > 1) tasks.back().head = task.name;
  }
  return tasks;
}

/// Finds out which heads of the model to start from fit, whose labels these then are in its order.
void take_heads(const Config& config, const FinetuneOptions& o, std::vector<TaskSetup>& tasks,
                const Log& log) {
  for (TaskSetup& task : tasks) {
    task.fits = has_head_for(config, task);
    if (task.fits) {
      task.labels = config.head(task.head).labels;
    } else if (task.head.empty()) {
      log(fmt::format("model: {} is for {}: a new head for {} with {} labels", o.from.string(),
                      config.has_head()
                          ? fmt::format("{} with {} labels", config.task, config.labels.size())
                          : "no task",
                      task.options.task, task.labels.size()));
    } else {
      log(fmt::format("model: {} has no head '{}' like this: a new one for {} with {} labels",
                      o.from.string(), task.head, task.options.task, task.labels.size()));
    }
  }
}

/// Gives a config the tasks' heads. Those that it has beside them stay.
void set_heads(Config& config, const std::vector<TaskSetup>& tasks, const Log& log) {
  const TaskSetup& own = tasks.front();
  if (!own.options.name.empty() || !own.fits) config.head_name = own.options.name;
  config.heads.erase(config.head_name);
  if (!own.fits) config.heads.erase(std::string(kOrderHead));
  std::vector<std::string> others;
  for (const auto& [name, head] : config.heads) {
    if (std::ranges::find(tasks, name, &TaskSetup::head) == tasks.end()) others.push_back(name);
  }
  if (!others.empty())
    log(fmt::format("model: its heads {} learn nothing, though the encoder below them may change",
                    fmt::join(others, ", ")));
  config = config_for(std::move(config), own);
  Config plain = config;
  plain.no_answer = false;
  for (const TaskSetup& task : tasks) {
    if (task.head.empty()) continue;
    HeadConfig head = config_for(plain, task).head("");
    head.pooling = task.options.pooling;
    head.wide_features = 0;
    head.options = task.options.head_options;
    if (task.fits) {
      const HeadConfig& before = config.heads[task.head];
      if (head.pooling.empty()) head.pooling = before.pooling;
      if (head.options.empty()) head.options = before.options;
    }
    config.heads[task.head] = head;
  }
}

/// The metrics of several tasks that may select the best epoch, the default first.
std::vector<std::string> metrics_of(const std::vector<TaskSetup>& tasks) {
  std::vector<std::pair<std::string, std::vector<std::string>>> names;
  for (const TaskSetup& task : tasks)
    names.emplace_back(task.options.name, task.task->metrics_on(task.dev_examples, task.labels));
  return MultiTaskObjective::metrics(names);
}

}  // namespace

void check_options(const FinetuneOptions& o) {
  check_ranges(o);
  require(o.learning_rate >= 0 || o.learning_rate == -1, Kind::usage,
          "learning_rate: expected 0 to 10, or -1, found {}", o.learning_rate);
  if (!o.tasks.empty()) {
    check_tasks(o);
  } else {
    require(!o.train.empty(), Kind::usage, "train: expected a file with training data, found none");
  }
  require(!o.out.empty(), Kind::usage,
          "out: expected a directory to write the model to, found none");
  require(!o.skip_mismatch || !o.from.empty(), Kind::usage,
          "skip_mismatch: expected a model to start from (from), found none");
  require(o.resize_positions == "copy" || o.resize_positions == "interpolate", Kind::usage,
          "resize_positions: expected copy or interpolate, found '{}'",
          printable(o.resize_positions));
}

TrainingSetup set_up(const FinetuneOptions& o, const Log& log) {
  std::optional<StartingModel> start;
  if (!o.from.empty()) start = read_start(o, log);
  const Config input = input_config(o, start);
  const std::string& wide_part = o.tasks.empty() ? o.wide : o.tasks.front().wide;
  require(input.input_type == "tokens" || wide_part != "on", Kind::usage,
          "wide: expected auto or off for input_type {}, which has no words, found 'on'",
          input.input_type);
  std::size_t skipped = 0;
  std::vector<TaskSetup> tasks = read_tasks(o, input, skipped, log);
  TaskSetup& own = tasks.front();
  std::string metric = o.metric;
  if (!o.tasks.empty()) {
    const std::vector<std::string> names = metrics_of(tasks);
    check_metric(metric, names, "these tasks");
    if (metric.empty()) metric = names.front();
  }

  Config config;
  Tokenizer tokenizer;
  if (start) {
    config = start->config;
    tokenizer = start->tokenizer;
    take_heads(config, o, tasks, log);
  } else {
    if (input.reads_numbers()) {
      log("input: numbers, no tokenizer");
    } else if (input.input_type == "dna") {
      tokenizer = Tokenizer::dna(input.kmer_size);
      log(fmt::format("tokenizer: {} letters a token, {} pieces", input.kmer_size,
                      tokenizer.vocab_size()));
    } else if (o.tokenizer.empty()) {
      std::vector<Example> texts;
      for (const TaskSetup& task : tasks)
        std::ranges::copy(task.train_examples, std::back_inserter(texts));
      tokenizer = learn_tokenizer(texts, o.vocab_size, o.seed);
      log(fmt::format("tokenizer: {} pieces learned from {} texts", tokenizer.vocab_size(),
                      texts.size()));
    } else {
      tokenizer = Tokenizer::load(o.tokenizer);
    }
    config = new_config(o, tokenizer);
    if (input.reads_numbers()) fit_input(config, input, o, own.train_examples, own.dev_examples);
  }
  const bool fits = std::ranges::all_of(tasks, &TaskSetup::fits);
  const bool had_wide = config.wide_features > 0;
  // A new head begins with it, but where that would hide the model from transformers.
  const bool may_begin = o.from.empty() || had_wide || (!own.fits && is_own_type(config));
  const bool wide = input.input_type == "tokens" && wants_wide(own.options, *own.task, may_begin);
  config.wide_features = 0;
  set_heads(config, tasks, log);
  const std::int64_t positions = config.max_position_embeddings;
  for (const std::string& setting : o.set) config.assign(setting);
  config.validate();
  if (!o.from.empty() && config.max_position_embeddings != positions) {
    log(fmt::format("model: {} positions become {}: {}", positions, config.max_position_embeddings,
                    o.resize_positions == "interpolate"
                        ? "their weights are read between the old ones"
                    : config.max_position_embeddings > positions
                        ? "those in common keep their weights, new ones start afresh"
                        : "those in common keep their weights, the others are left out"));
  }
  require(!tokenizer || tokenizer.vocab_size() <= config.vocab_size, Kind::input,
          "tokenizer: expected at most {} pieces (vocab_size), found {}", config.vocab_size,
          tokenizer ? tokenizer.vocab_size() : 0);

  const std::int64_t limit = config.longest_text();
  require(static_cast<std::int64_t>(o.max_length) <= limit, Kind::usage,
          "max_length: expected at most {}, the model's limit, found {}", limit, o.max_length);
  EncodeOptions encoding;
  encoding.max_length =
      most_tokens(config, tokenizer ? tokenizer.config().model_max_length : 0, o.max_length);
  encoding.numbers = config.input_shape();
  encoding.stride = o.stride;
  if (tokenizer) {
    tokenizer = tokenizer.with_max_length(static_cast<std::int64_t>(encoding.max_length));
  }
  for (TaskSetup& task : tasks) {
    encoding.ngrams = wide && &task == &own;
    for_task(task.options, [&] { encode_task(task, config, tokenizer, encoding, log); });
  }
  if (o.tasks.empty()) metric = own.metric;

  NgramTable ngrams;
  if (wide) ngrams = learn_ngrams(own.train, own.labels.size());
  config.wide_features = static_cast<std::int64_t>(ngrams.keys().size());
  TrainingSetup setup{.tasks = std::move(tasks),
                      .model = std::make_shared<nn::FNetWithHeadImpl>(config, o.seed),
                      .tokenizer = tokenizer,
                      .metric = metric,
                      .frozen = {},
                      .wide = config.wide_features > 0,
                      .skipped_lines = skipped,
                      .weights = {},
                      .run = {}};
  setup.model->set_recompute(o.recompute);
  if (!start && config.reads_numbers()) standardise(*setup.model, setup.tasks.front().train);
  if (start) {
    setup.weights = load_start(*setup.model, o, *start, !fits, had_wide || setup.wide, log);
  }
  setup.frozen = frozen_weights(*setup.model, o, log);
  log_model(*setup.model, log);
  TaskSetup& first = setup.tasks.front();
  if (setup.wide) {
    fit_wide_head(*setup.model, first.task->loss(), ngrams, first.train, first.class_weights);
    log(fmt::format("wide head{}: {} words and pairs of words, {:.1f} MB",
                    setup.several() ? " of " + first.options.name : "", config.wide_features,
                    4e-6 * static_cast<double>(ngrams.keys().size() * (first.labels.size() + 2))));
  }
  for (Sample& sample : first.train) {  // each step copies what it reads
    for (Encoding& text : sample.texts) text.ngrams.reset();
  }
  setup.run = run_json(o, setup);
  return setup;
}

std::optional<OtherModel> load_other(const std::filesystem::path& directory,
                                     const FinetuneOptions& options, const TrainingSetup& setup) {
  const Config config = Config::load(directory);
  if (!std::ranges::all_of(setup.tasks,
                           [&](const TaskSetup& task) { return has_head_for(config, task); }))
    return {};
  if (config.input_type != setup.config().input_type) return {};
  OtherModel other{std::make_shared<nn::FNetWithHeadImpl>(config, options.seed),
                   config.reads_numbers() ? Tokenizer() : Tokenizer::load(directory),
                   {}};
  other.model->load_weights(directory);
  EncodeOptions encoding;
  encoding.max_length =
      most_tokens(config, other.tokenizer ? other.tokenizer.config().model_max_length : 0);
  encoding.numbers = config.input_shape();
  if (options.max_length > 0)
    encoding.max_length = std::min(encoding.max_length, options.max_length);
  encoding.stride = options.stride;
  for (const TaskSetup& task : setup.tasks) {
    encoding.ngrams = config.wide_features > 0 && task.head.empty();
    other.dev.push_back(encode_dev(task, config, other.tokenizer, encoding));
  }
  return other;
}

}  // namespace fnet
