#include "train/task_setup.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <numeric>
#include <set>
#include <utility>

#include "core/error.h"
#include "core/random.h"
#include "train/task_objective.h"

namespace fnet {
namespace {

using Log = std::function<void(std::string_view)>;

/// Stream of the choice of examples that are held out; epochs and steps have those below.
constexpr std::uint64_t kHoldOutStream = std::uint64_t{1} << 60;

ExampleReader reader_of(const std::filesystem::path& path, const std::filesystem::path& labels,
                        const Task& task, const TaskOptions& options) {
  ReadOptions read;
  read.format = options.input_format;
  read.skip_bad_lines = options.skip_bad_lines;
  read.numbers = options.columns.numbers;
  read.label_column = options.columns.label;
  read.labels = labels;
  require(
      labels.empty() || read.numbers, Kind::usage,
      "{}: expected labels in a file of their own for numbers alone: --set input_type=vectors or "
      "patches; texts have them in their own file",
      labels.string());
  return {DataReader(path, read), task.reading(options.columns, true)};
}

std::vector<Example> read(const std::filesystem::path& path, const std::filesystem::path& labels,
                          const Task& task, const TaskOptions& options, std::size_t& skipped) {
  ExampleReader reader = reader_of(path, labels, task, options);
  std::vector<Example> examples;
  for (Example example; reader.next(example);) examples.push_back(std::move(example));
  skipped += reader.skipped();
  require(!examples.empty(), Kind::input, "{}: expected at least one example, found none",
          path.string());
  return examples;
}

/// Takes a tenth of the examples, at least one, out of `train`; which, `seed` tells.
std::vector<Example> hold_out(std::vector<Example>& train, const std::filesystem::path& file,
                              std::uint64_t seed) {
  require(train.size() > 1, Kind::input,
          "{}: expected at least two examples, one of them to select the best epoch, found {}",
          file.string(), train.size());
  std::vector<std::size_t> order(train.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  Philox(seed, kHoldOutStream).shuffle(order);
  order.resize(std::max<std::size_t>(1, train.size() / 10));
  std::ranges::sort(order);
  std::vector<Example> dev, rest;
  for (std::size_t i = 0, next = 0; i < train.size(); ++i) {
    const bool held = next < order.size() && order[next] == i;
    next += held;
    (held ? dev : rest).push_back(std::move(train[i]));
  }
  train = std::move(rest);
  return dev;
}

/// Examples as the task encodes them. Throws: input, with the place in the file.
std::vector<Sample> encode(const Task& task, const std::vector<Example>& examples,
                           const Tokenizer& tokenizer, const EncodeOptions& options,
                           const HeadConfig& head, const std::filesystem::path& file,
                           bool all_tokens = false) {
  std::vector<Sample> samples;
  samples.reserve(examples.size());
  for (const Example& example : examples) {
    try {
      samples.push_back(all_tokens ? task.encode_all_tokens(example, tokenizer, options, head)
                                   : task.encode(example, tokenizer, options, head));
    } catch (const Error& error) {
      throw error.within(fmt::format("{}:{}", file.string(), example.line));
    }
  }
  return samples;
}

bool same_labels(const std::vector<std::string>& a, const std::vector<std::string>& b) {
  return std::set(a.begin(), a.end()) == std::set(b.begin(), b.end());
}

/// The task that the options name, by our own name from now on. Throws: usage.
const Task& named_task(TaskOptions& o) {
  const HeadConfig asked = head_for_task(o.task, o.problem_type);
  o.task = asked.task, o.problem_type = asked.problem_type;
  return task_of(asked);
}

/// What of the loss only a choice among classes has.
void check_smoothing(TaskOptions& o, const Task& task) {
  const bool classes = task.loss() == Loss::cross_entropy;
  if (o.label_smoothing < 0) o.label_smoothing = task.label_smoothing();
  require(o.label_smoothing == 0 || task.has_classes(), Kind::usage,
          "label_smoothing: expected 0 for a task without classes, found {}", o.label_smoothing);
  require(o.class_weights == "none" || classes, Kind::usage,
          "class_weights: expected none unless each text or word has one label, found '{}'",
          o.class_weights);
}

/// Throws usage where the sizes of vectors' beginnings do not fit.
void check_dims(const TaskOptions& o, const Task& task, const Config& config) {
  require(o.matryoshka_dims.empty() || task.loss() == Loss::similarity, Kind::usage,
          "matryoshka_dims: expected none for {}, which compares no vectors", o.task);
  for (const std::int64_t dim : o.matryoshka_dims)
    require(dim >= 1 && dim <= config.hidden_size, Kind::usage,
            "matryoshka_dims: expected 1 to {} (hidden_size), found {}", config.hidden_size, dim);
}

/// What stands before a line about one of several tasks.
std::string before(const TaskSetup& task) {
  return task.options.name.empty() ? "" : task.options.name + ": ";
}

}  // namespace

void check_metric(const std::string& metric, const std::vector<std::string>& names,
                  std::string_view purpose) {
  require(metric.empty() || std::ranges::find(names, metric) != names.end(), Kind::usage,
          "metric: expected one of {} for {}, found '{}'", fmt::join(names, ", "), purpose,
          printable(metric));
}

TaskSetup read_task(NamedTask options, const Config& input, std::uint64_t seed,
                    std::size_t& skipped, const Log& log) {
  TaskSetup setup;
  setup.options = std::move(options);
  NamedTask& o = setup.options;
  o.columns.numbers = input.reads_numbers();
  const Task& named = named_task(o);
  check_metric(o.metric, named.metrics({}), o.task);
  setup.train_examples = read(o.train, o.train_labels, named, o, skipped);
  setup.task = &named;
  try {
    if (o.problem_type.empty()) setup.task = &named.for_examples(setup.train_examples);
    setup.labels = setup.task->labels(setup.train_examples);
  } catch (const Error& error) {
    throw error.within(o.train.string());
  }
  const std::size_t count = setup.labels.size();
  require(o.num_labels == 0 || o.num_labels == static_cast<std::int64_t>(count), Kind::input,
          "{}: expected {} labels (num_labels), found {}", o.train.string(), o.num_labels, count);
  const Task& task = *setup.task;
  if (o.token_dropout < 0) {
    o.token_dropout = input.input_type == "tokens" ? task.token_dropout() : 0;
  }
  check_smoothing(o, task);
  setup.dev_examples = o.dev.empty() ? hold_out(setup.train_examples, o.train, seed)
                                     : read(o.dev, o.dev_labels, task, o, skipped);
  log(fmt::format("data: {}{} training and {} dev examples, {}{}", before(setup),
                  setup.train_examples.size(), setup.dev_examples.size(),
                  task.has_classes() ? fmt::format("{} labels", count) : std::string(task.unit()),
                  skipped > 0 ? fmt::format(", {} bad lines skipped", skipped) : ""));
  return setup;
}

std::vector<NamedTask> tasks_of(const FinetuneOptions& options) {
  if (!options.tasks.empty()) return options.tasks;
  return {{static_cast<const TaskOptions&>(options), "", 1, "", {}, 0}};
}

std::vector<Example> first_examples(NamedTask options, std::size_t most) {
  const Task& task = named_task(options);
  ExampleReader reader = reader_of(options.train, options.train_labels, task, options);
  std::vector<Example> examples;
  for (Example example; examples.size() < most && reader.next(example);)
    examples.push_back(std::move(example));
  return examples;
}

bool has_head_for(const Config& config, const TaskSetup& task) {
  if (std::ranges::count(config.head_names(), task.head) == 0) return false;
  const HeadConfig head = config.head(task.head);
  return head.task == task.task->name() && &task_of(head) == task.task &&
         same_labels(head.labels, task.labels);
}

Config config_for(Config config, const TaskSetup& task) {
  config.task = task.options.task;
  config.labels = task.labels;
  config.problem_type = task.task->problem_type();
  task.task->configure(config, task.train_examples);
  if (!task.options.pooling.empty()) config.pooling = task.options.pooling;
  if (!task.fits || !task.options.head_options.empty())
    config.head_options = task.options.head_options;
  return config;
}

void encode_task(TaskSetup& setup, const Config& config, const Tokenizer& tokenizer,
                 const EncodeOptions& encoding, const Log& log) {
  const NamedTask& o = setup.options;
  const Task& task = *setup.task;
  check_dims(o, task, config);
  setup.train = encode(task, setup.train_examples, tokenizer, encoding, config.head(setup.head),
                       o.train, o.label_all_tokens);
  const auto has_answer = [](const Sample& sample) {
    return std::ranges::any_of(sample.units, [](std::int32_t row) { return row >= 0; });
  };
  require(std::ranges::any_of(setup.train, has_answer), Kind::usage,
          "max_length: expected room for a word, found {}, which cuts all of them off",
          encoding.max_length);
  setup.dev = encode_dev(setup, config, tokenizer, encoding);
  std::ptrdiff_t cut = 0;
  for (const Sample& sample : setup.dev) cut += std::ranges::count(sample.units, -1);
  if (cut > 0) {
    log(fmt::format("{}: {} {} beyond the length that the model reads, counted as wrong",
                    dev_file(o).string(), cut, task.unit()));
  }
  if (o.class_weights == "balanced")
    setup.class_weights = balanced_weights(setup.train, setup.labels.size());
  if (const float scale = task.value_scale(setup.train); scale != 1) {
    log(fmt::format("scores: {}{} stands for a cosine of 1", before(setup), scale));
    for (auto* samples : {&setup.train, &setup.dev}) {
      for (Sample& sample : *samples)
        for (float& value : sample.values) value /= scale;
    }
  }
  const std::vector<std::string> metrics = task.metrics_on(setup.dev_examples, setup.labels);
  check_metric(o.metric, metrics, "these dev data");
  setup.metric = o.metric.empty() ? metrics.front() : o.metric;
}

std::vector<Sample> encode_dev(const TaskSetup& task, const Config& config,
                               const Tokenizer& tokenizer, const EncodeOptions& encoding) {
  return encode(*task.task, task.dev_examples, tokenizer, encoding, config.head(task.head),
                dev_file(task.options));
}

}  // namespace fnet
