#include "train/setup.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <numeric>
#include <optional>
#include <set>

#include "core/error.h"
#include "core/random.h"
#include "model/batch.h"
#include "model/kinds.h"
#include "train/finetune_options.h"
#include "train/run_json.h"
#include "train/start.h"
#include "train/task_objective.h"
#include "train/wide_head.h"

namespace fnet {
namespace {

using Log = std::function<void(std::string_view)>;

/// Stream of the choice of examples that are held out; epochs and steps have those below.
constexpr std::uint64_t kHoldOutStream = std::uint64_t{1} << 60;

/// Throws usage where the options name a metric that is not among `names`.
void check_metric(const FinetuneOptions& o, const std::vector<std::string>& names,
                  std::string_view purpose) {
  require(o.metric.empty() || std::ranges::find(names, o.metric) != names.end(), Kind::usage,
          "metric: expected one of {} for {}, found '{}'", fmt::join(names, ", "), purpose,
          printable(o.metric));
}

std::vector<Example> read(const std::filesystem::path& path, const Task& task,
                          const FinetuneOptions& options, std::size_t& skipped) {
  ReadOptions read;
  read.format = options.input_format;
  read.skip_bad_lines = options.skip_bad_lines;
  ExampleReader reader(DataReader(path, read), task.reading(options.columns, true));
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
                           const HeadConfig& head, const std::filesystem::path& file) {
  std::vector<Sample> samples;
  samples.reserve(examples.size());
  for (const Example& example : examples) {
    try {
      samples.push_back(task.encode(example, tokenizer, options, head));
    } catch (const Error& error) {
      throw error.within(fmt::format("{}:{}", file.string(), example.line));
    }
  }
  return samples;
}

Config new_config(const FinetuneOptions& options, const Tokenizer& tokenizer) {
  Config config = Config::preset(options.variant);
  // Small data: a mean over all rows learns faster than the first row behind a pooler, and unscaled
  // transforms drown the residual.
  config.fourier_norm = "ortho";
  config.pooling = "mean";
  config.pooler = false;
  const SpecialIds& special = tokenizer.special();
  config.set_vocabulary(tokenizer.vocab_size(), special.pad, special.bos, special.eos);
  config.max_position_embeddings =
      std::max(config.max_position_embeddings, static_cast<std::int64_t>(options.max_length));
  return config;
}

bool same_labels(const std::vector<std::string>& a, const std::vector<std::string>& b) {
  return std::set(a.begin(), a.end()) == std::set(b.begin(), b.end());
}

/// Whether a model's head answers this task with these labels.
bool is_for(const Config& config, const Task& task, const std::vector<std::string>& labels) {
  return config.has_head() && config.task == task.name() && &task_of(config.head("")) == &task &&
         same_labels(config.labels, labels);
}

/// The task that the options name, by our own name from now on. Throws: usage.
const Task& named_task(FinetuneOptions& o) {
  const HeadConfig asked = head_for_task(o.task, o.problem_type);
  o.task = asked.task, o.problem_type = asked.problem_type;
  return task_of(asked);
}

/// What of the loss only a choice among classes has.
void check_smoothing(FinetuneOptions& o, const Task& task) {
  const bool classes = task.loss() == Loss::cross_entropy;
  if (o.label_smoothing < 0) o.label_smoothing = task.label_smoothing();
  require(o.label_smoothing == 0 || task.has_classes(), Kind::usage,
          "label_smoothing: expected 0 for a task without classes, found {}", o.label_smoothing);
  require(o.class_weights == "none" || classes, Kind::usage,
          "class_weights: expected none unless each text or word has one label, found '{}'",
          o.class_weights);
}

/// Throws usage where the sizes of vectors' beginnings do not fit.
void check_dims(const FinetuneOptions& o, const Task& task, const Config& config) {
  require(o.matryoshka_dims.empty() || task.loss() == Loss::similarity, Kind::usage,
          "matryoshka_dims: expected none for {}, which compares no vectors", o.task);
  for (const std::int64_t dim : o.matryoshka_dims)
    require(dim >= 1 && dim <= config.hidden_size, Kind::usage,
            "matryoshka_dims: expected 1 to {} (hidden_size), found {}", config.hidden_size, dim);
}

}  // namespace

void check_options(const FinetuneOptions& o) {
  finetune_options([&](std::string_view name, auto member, const Allowed& allowed,
                       std::string_view) {
    const auto& value = o.*member;
    if constexpr (std::is_same_v<std::decay_t<decltype(value)>, std::string>) {
      require(allowed.names.empty() || std::ranges::count(allowed.names, value) > 0, Kind::usage,
              "{}: expected {}, found '{}'", name, allowed.text(), printable(value));
    } else {
      const auto number = static_cast<double>(value);
      require(allowed.low == allowed.high || (number >= allowed.low && number <= allowed.high),
              Kind::usage, "{}: expected {}, found {}", name, allowed.text(), value);
    }
  });
  require(!o.train.empty(), Kind::usage, "train: expected a file with training data, found none");
  require(!o.out.empty(), Kind::usage,
          "out: expected a directory to write the model to, found none");
  require(!o.skip_mismatch || !o.from.empty(), Kind::usage,
          "skip_mismatch: expected a model to start from (from), found none");
  require(o.resize_positions == "copy" || o.resize_positions == "interpolate", Kind::usage,
          "resize_positions: expected copy or interpolate, found '{}'",
          printable(o.resize_positions));
}

TrainingSetup set_up(const FinetuneOptions& options, const Log& log) {
  FinetuneOptions o = options;
  const Task& named = named_task(o);
  check_metric(o, named.metrics({}), o.task);
  std::size_t skipped = 0;
  std::vector<Example> train = read(o.train, named, o, skipped);
  const Task* chosen = &named;
  std::vector<std::string> labels;
  try {
    if (o.problem_type.empty()) chosen = &named.for_examples(train);
    labels = chosen->labels(train);
  } catch (const Error& error) {
    throw error.within(o.train.string());
  }
  const Task& task = *chosen;
  if (o.token_dropout < 0) o.token_dropout = task.token_dropout();
  check_smoothing(o, task);
  std::vector<Example> dev =
      o.dev.empty() ? hold_out(train, o.train, o.seed) : read(o.dev, task, o, skipped);
  log(fmt::format(
      "data: {} training and {} dev examples, {}{}", train.size(), dev.size(),
      task.has_classes() ? fmt::format("{} labels", labels.size()) : std::string(task.unit()),
      skipped > 0 ? fmt::format(", {} bad lines skipped", skipped) : ""));

  Config config;
  bool new_head = true;
  std::optional<Tokenizer> tokenizer;
  std::optional<StartingModel> start;
  if (!o.from.empty()) {
    start = read_start(o, log);
    config = start->config;
    tokenizer = start->tokenizer;
    new_head = !is_for(config, task, labels);
    if (new_head) {
      config.heads.erase(std::string(kOrderHead));
      log(fmt::format("model: {} is for {}: a new head for {} with {} labels", o.from.string(),
                      config.has_head()
                          ? fmt::format("{} with {} labels", config.task, config.labels.size())
                          : "no task",
                      o.task, labels.size()));
    } else {
      labels = config.labels;
    }
  } else {
    if (o.tokenizer.empty()) {
      tokenizer = learn_tokenizer(train, o.vocab_size, o.seed);
      log(fmt::format("tokenizer: {} pieces learned from {} texts", tokenizer->vocab_size(),
                      train.size()));
    } else {
      tokenizer = Tokenizer::load(o.tokenizer);
    }
    config = new_config(o, *tokenizer);
  }
  const bool had_wide = config.wide_features > 0;
  const bool wide = wants_wide(o, task, had_wide);
  config.wide_features = 0;
  config.task = o.task;
  config.labels = labels;
  config.problem_type = task.problem_type();
  task.configure(config, train);
  const std::int64_t positions = config.max_position_embeddings;
  for (const std::string& setting : o.set) config.assign(setting);
  config.validate();
  check_dims(o, task, config);
  if (!o.from.empty() && config.max_position_embeddings != positions) {
    log(fmt::format("model: {} positions become {}: {}", positions, config.max_position_embeddings,
                    o.resize_positions == "interpolate"
                        ? "their weights are read between the old ones"
                    : config.max_position_embeddings > positions
                        ? "those in common keep their weights, new ones start afresh"
                        : "those in common keep their weights, the others are left out"));
  }
  require(tokenizer->vocab_size() <= config.vocab_size, Kind::input,
          "tokenizer: expected at most {} pieces (vocab_size), found {}", config.vocab_size,
          tokenizer->vocab_size());

  const std::int64_t limit = config.longest_text();
  require(static_cast<std::int64_t>(o.max_length) <= limit, Kind::usage,
          "max_length: expected at most {}, the model's limit, found {}", limit, o.max_length);
  EncodeOptions encoding;
  encoding.max_length = most_tokens(config, tokenizer->config().model_max_length, o.max_length);
  encoding.ngrams = wide;
  encoding.stride = o.stride;
  tokenizer = tokenizer->with_max_length(static_cast<std::int64_t>(encoding.max_length));

  TrainingSetup setup{.task = &task,
                      .train_examples = std::move(train),
                      .dev_examples = std::move(dev),
                      .train = {},
                      .dev = {},
                      .model = nullptr,
                      .tokenizer = *tokenizer,
                      .metric = o.metric,
                      .fits = !new_head,
                      .frozen = {},
                      .token_dropout = o.token_dropout,
                      .label_smoothing = o.label_smoothing,
                      .class_weights = {},
                      .skipped_lines = skipped,
                      .weights = {},
                      .run = {}};
  const HeadConfig head = config.head("");
  setup.train = encode(task, setup.train_examples, setup.tokenizer, encoding, head, o.train);
  const auto has_answer = [](const Sample& sample) {
    return std::ranges::any_of(sample.units, [](std::int32_t row) { return row >= 0; });
  };
  require(std::ranges::any_of(setup.train, has_answer), Kind::usage,
          "max_length: expected room for a word, found {}, which cuts all of them off",
          encoding.max_length);
  setup.dev = encode(task, setup.dev_examples, setup.tokenizer, encoding, head, dev_file(o));
  std::ptrdiff_t cut = 0;
  for (const Sample& sample : setup.dev) cut += std::ranges::count(sample.units, -1);
  if (cut > 0) {
    log(fmt::format("{}: {} {} beyond the length that the model reads, counted as wrong",
                    dev_file(o).string(), cut, task.unit()));
  }
  NgramTable ngrams;
  if (wide) ngrams = learn_ngrams(setup.train, labels.size());
  config.wide_features = static_cast<std::int64_t>(ngrams.keys().size());
  setup.wide = config.wide_features > 0;
  setup.model = std::make_shared<nn::FNetWithHeadImpl>(config, o.seed);
  if (start) {
    setup.weights = load_start(*setup.model, o, *start, new_head, had_wide || setup.wide, log);
  }
  setup.frozen = frozen_weights(*setup.model, o, log);
  std::int64_t parameters = 0;
  for (const at::Tensor& parameter : setup.model->parameters()) parameters += parameter.numel();
  log(fmt::format("model: {} layers, hidden {}, {} parameters, length policy {}",
                  config.num_hidden_layers, config.hidden_size, parameters, config.length_policy));
  if (o.class_weights == "balanced")
    setup.class_weights = balanced_weights(setup.train, labels.size());
  if (setup.wide) {
    fit_wide_head(*setup.model, ngrams, setup.train, setup.class_weights);
    log(fmt::format("wide head: {} words and pairs of words, {:.1f} MB", config.wide_features,
                    4e-6 * static_cast<double>(ngrams.keys().size() * (labels.size() + 2))));
  }
  for (Sample& sample : setup.train) {  // each step copies what it reads
    for (Encoding& text : sample.texts) text.ngrams.reset();
  }
  if (const float scale = task.value_scale(setup.train); scale != 1) {
    log(fmt::format("scores: {} stands for a cosine of 1", scale));
    for (auto* samples : {&setup.train, &setup.dev}) {
      for (Sample& sample : *samples)
        for (float& value : sample.values) value /= scale;
    }
  }
  const std::vector<std::string> metrics = task.metrics_on(setup.dev_examples, labels);
  check_metric(o, metrics, "these dev data");
  if (setup.metric.empty()) setup.metric = metrics.front();
  setup.run = run_json(o, setup);
  return setup;
}

std::optional<OtherModel> load_other(const std::filesystem::path& directory,
                                     const FinetuneOptions& options, const TrainingSetup& setup) {
  const Config config = Config::load(directory);
  if (!is_for(config, *setup.task, setup.config().labels)) return {};
  OtherModel other{
      std::make_shared<nn::FNetWithHeadImpl>(config, options.seed), Tokenizer::load(directory), {}};
  other.model->load_weights(directory);
  EncodeOptions encoding;
  encoding.max_length = most_tokens(config, other.tokenizer.config().model_max_length);
  if (options.max_length > 0)
    encoding.max_length = std::min(encoding.max_length, options.max_length);
  encoding.stride = options.stride;
  encoding.ngrams = config.wide_features > 0;
  other.dev = encode(*setup.task, setup.dev_examples, other.tokenizer, encoding, config.head(""),
                     dev_file(options));
  return other;
}

}  // namespace fnet
