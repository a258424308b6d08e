#include "fnet/finetune.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <memory>
#include <set>
#include <utility>

#include "blocks/model.h"
#include "core/error.h"
#include "train/device.h"
#include "train/finetune.h"
#include "train/head_fit.h"
#include "train/loop.h"
#include "train/multi_task.h"
#include "train/ranks.h"
#include "train/run_directory.h"
#include "train/run_json.h"
#include "train/setup.h"
#include "train/start.h"
#include "train/task_objective.h"

namespace fnet {
namespace {

using Log = std::function<void(std::string_view)>;

/// How the steps of an epoch, in which each example could be read once, are parted among the tasks.
TaskSchedule schedule_of(const FinetuneOptions& o, const TrainingSetup& setup) {
  std::vector<std::int64_t> sizes;
  std::int64_t steps = 0;
  for (const TaskSetup& task : setup.tasks) {
    sizes.push_back(static_cast<std::int64_t>(task.train_examples.size()));
    steps += (sizes.back() + o.batch_size - 1) / o.batch_size;
  }
  return {sizes, o.alpha, steps, o.seed};
}

/// One objective for all tasks; `part`: for the task of this number.
std::unique_ptr<Objective> objective_of(
    const FinetuneOptions& o, const TrainingSetup& setup,
    const std::function<std::unique_ptr<Objective>(std::size_t)>& part) {
  if (!setup.several()) return part(0);
  std::vector<MultiTaskObjective::Part> parts;
  for (std::size_t i = 0; i < setup.tasks.size(); ++i) {
    const TaskSetup& task = setup.tasks[i];
    parts.push_back({task.options.name, part(i), task.options.weight, task.metric});
  }
  return std::make_unique<MultiTaskObjective>(std::move(parts), schedule_of(o, setup));
}

/// What the setup's model learns by.
std::unique_ptr<Objective> objective_of(const FinetuneOptions& o, const TrainingSetup& setup) {
  return objective_of(o, setup, [&](std::size_t i) {
    const TaskSetup& task = setup.tasks[i];
    const bool wide = setup.wide && task.head.empty();
    return std::make_unique<TaskObjective>(
        *task.task, setup.model, setup.tokenizer, task.dev_examples, task.dev,
        TaskObjective::Options{.label_smoothing = task.options.label_smoothing,
                               .token_dropout = task.options.token_dropout,
                               .class_weights = task.class_weights,
                               .weigh_wide = wide,
                               .may_drop_wide = task.options.wide == "auto",
                               .matryoshka_dims = task.options.matryoshka_dims,
                               .seed = o.seed,
                               .head = task.head});
  });
}

/// What it learns from; takes the training samples.
std::unique_ptr<Source> source_of(const FinetuneOptions& o, TrainingSetup& setup) {
  std::vector<std::unique_ptr<Source>> sources;
  for (TaskSetup& task : setup.tasks) {
    std::vector<std::size_t> lines;
    for (const Example& example : task.train_examples) lines.push_back(example.line);
    sources.push_back(std::make_unique<MemorySource>(std::move(task.train), std::move(lines),
                                                     task.options.train.string(), o.batch_size,
                                                     o.seed));
  }
  if (!setup.several()) return std::move(sources.front());
  return std::make_unique<MultiTaskSource>(std::move(sources), schedule_of(o, setup));
}

/// The metric of the model that a directory holds, or nothing where it cannot be compared.
std::optional<double> score_of(const std::filesystem::path& directory,
                               const FinetuneOptions& options, const TrainingSetup& setup,
                               const LoopOptions& loop, const Log& log) {
  try {
    const auto other = load_other(directory, options, setup);
    if (!other) return {};
    other->model->to(loop.device, loop.type);
    const Evaluation evaluation =
        objective_of(options, setup, [&](std::size_t i) {
          const TaskSetup& task = setup.tasks[i];
          return std::make_unique<TaskObjective>(*task.task, other->model, other->tokenizer,
                                                 task.dev_examples, other->dev[i],
                                                 TaskObjective::Options{.head = task.head});
        })->evaluate();
    if (!std::isfinite(evaluation.loss)) return {};
    return evaluation.metric(setup.metric);
  } catch (const Error& error) {
    log(fmt::format("cannot be scored: {}", error.what()));
    return {};
  }
}

/// Which of a model's weights never learn, and in a first stage none below the head.
std::vector<Stage> stages_of(const FinetuneOptions& o, const TrainingSetup& setup) {
  const auto model = setup.model;
  const std::int64_t layers = setup.config().num_hidden_layers;
  std::set<std::string> below = setup.frozen;
  for (const WeightSpec& spec : model_weights(setup.config())) {
    if (depth_of(spec.name, layers) <= layers) below.insert(spec.name);
  }
  return {
      {.epochs = o.head_epochs, .begin = [model, below] { model->set_frozen(below); }},
      {.epochs = o.epochs, .begin = [model, frozen = setup.frozen] { model->set_frozen(frozen); }}};
}

/// Whether a task's head answers before the first step.
bool answers_first(const FinetuneOptions& o, const TrainingSetup& setup) {
  return std::ranges::all_of(setup.tasks, [&](const TaskSetup& task) {
    return task.fits || may_fit_head(o, task, setup.frozen);
  });
}

LoopOptions loop_options(const FinetuneOptions& o, const TrainingSetup& setup,
                         const Machine& machine, Ranks& ranks) {
  const std::int64_t layers = setup.config().num_hidden_layers;
  return {.stages = stages_of(o, setup),
          .learning_rate = o.learning_rate,
          .rate = [=, decay = o.layer_decay](
                      const std::string& name) { return layer_rate(name, layers, decay); },
          .warmup = o.warmup,
          .schedule = schedule_named(o.schedule),
          .accumulate = o.accumulate,
          .optimizer = {.weight_decay = o.weight_decay,
                        .max_grad_norm = o.max_grad_norm,
                        .average = o.average},
          .metric = setup.metric,
          .score_first = answers_first(o, setup),
          .patience = o.patience,
          .device = machine.device,
          .products = machine.products,
          .checkpoint_steps = o.checkpoint_steps,
          .ranks = &ranks};
}

void tell_interrupted(const FinetuneOptions& o, const TrainingReport& report, bool stays,
                      const std::optional<double>& older, const Log& log) {
  std::string holds;
  if (!report.written) {
    holds = stays ? "is as it was" : "holds no model yet";
    if (older)
      holds += fmt::format(": none is better than its model ({} {:.4f})", report.metric, *older);
  } else {
    holds = fmt::format("holds the best model, {} ({} {:.4f})",
                        *report.best_epoch == 0 ? "the one that training started from"
                                                : fmt::format("of epoch {}", *report.best_epoch),
                        report.metric, report.best);
  }
  log(fmt::format("interrupted after step {} of {}: {} {}", report.step, report.steps,
                  o.out.string(), holds));
}

/// In the process that evaluates, logs and saves.
TrainingReport lead(const FinetuneOptions& options, const TrainingCallbacks& callbacks,
                    bool only_better, const Machine& machine, Ranks& ranks) {
  const Log log = [&](std::string_view line) {
    if (callbacks.log) callbacks.log(line);
  };
  RunDirectory directory(
      options.out,
      {.overwrite = options.overwrite,
       .keep_checkpoints = options.checkpoint_steps == 0 ? 0 : options.keep_checkpoints,
       .log = log});
  TrainingSetup setup = set_up(options, log);
  setup.run["processes"] = ranks.size();
  ranks.agree(setup.run);
  const LoopOptions loop = loop_options(options, setup, machine, ranks);

  setup.model->to(machine.device);
  const bool resumes = directory.resume(setup.run);
  for (const TaskSetup& task : setup.tasks) {
    if (!resumes && may_fit_head(options, task, setup.frozen))
      fit_head(*setup.model, task, callbacks.stop, log);
  }
  if (!resumes && directory.holds_older_model()) {
    const std::optional<double> older = score_of(directory.path(), options, setup, loop, log);
    if (older) directory.set_older_metric(*older);
    log(fmt::format("{}: its model stays until this run has {}", options.out.string(),
                    older ? fmt::format("one that is better (dev {} {:.4f}){}", setup.metric,
                                        *older, only_better ? "" : ", or ends")
                          : "one: the two cannot be compared"));
  }
  directory.start(
      setup.run,
      {.write =
           [&](const std::filesystem::path& place) {
             setup.model->save(place);
             if (setup.tokenizer) setup.tokenizer.save(place);
           },
       .read = [&](const std::filesystem::path& place) { setup.model->load_weights(place); }});

  const auto objective = objective_of(options, setup);
  const auto source = source_of(options, setup);
  TrainingReport report = Loop(loop, *source, *objective, directory, callbacks).run();

  report.skipped_lines = setup.skipped_lines;
  const std::optional<double>& older = directory.older_metric();
  using End = RunDirectory::End;
  report.written = directory.finish(report.interrupted ? End::interrupted
                                    : only_better      ? End::only_better
                                                       : End::done);
  if (!report.interrupted) report.checkpoint.reset();
  report.resumable = report.written || older.has_value();
  if (report.interrupted) {
    tell_interrupted(options, report, directory.holds_older_model(), older, log);
  } else if (report.written && older && report.best < *older) {
    log(
        fmt::format("{}: its new model is worse than the one that it replaces: dev {} {:.4f}, "
                    "before {:.4f}",
                    options.out.string(), report.metric, report.best, *older));
  }
  return report;
}

/// In any other process.
TrainingReport follow(const FinetuneOptions& options, const TrainingCallbacks& callbacks,
                      const Machine& machine, Ranks& ranks) {
  TrainingSetup setup = set_up(options, [](std::string_view) {});
  ranks.agree(setup.run);
  const LoopOptions loop = loop_options(options, setup, machine, ranks);
  const auto objective = objective_of(options, setup);
  const auto source = source_of(options, setup);
  NoSaver saver;
  const TrainingCallbacks quiet = stop_only(callbacks);
  TrainingReport report = Loop(loop, *source, *objective, saver, quiet).run();
  report.leads = false;
  return report;
}

}  // namespace

TrainingReport finetune(const FinetuneOptions& options, const TrainingCallbacks& callbacks) {
  return finetune(options, callbacks, false);
}

FinetuneOptions settled(FinetuneOptions options) {
  const bool is_new = options.from.empty();
  if (options.epochs == 0) options.epochs = is_new ? 10 : 4;
  if (options.learning_rate == -1) options.learning_rate = is_new ? 1e-3 : 3e-4;
  return options;
}

TrainingReport finetune(const FinetuneOptions& given, const TrainingCallbacks& callbacks,
                        bool only_better) {
  check_options(given);
  const FinetuneOptions options = settled(given);
  return with_ranks(
      options.rank_timeout, callbacks.lost, [&](Ranks& ranks, const RankPlace& place) {
        const Machine machine = machine_named(options.device, options.dtype, place.local_rank);
        use_threads(options.threads, place.local_size);
        ranks.agree(options_json(options));
        return ranks.leads() ? lead(options, callbacks, only_better, machine, ranks)
                             : follow(options, callbacks, machine, ranks);
      });
}

std::vector<std::string> finetune_metrics(std::string_view task) {
  return task_of(head_for_task(task)).metrics({});
}

}  // namespace fnet
