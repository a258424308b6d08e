#include <fmt/core.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "core/error.h"
#include "fnet/finetune.h"
#include "train/finetune.h"
#include "train/ranks.h"

namespace fnet {
namespace {

using Clock = std::chrono::steady_clock;

/// What a recipe changes in the options.
struct Recipe {
  const char* name;
  void (*change)(FinetuneOptions&);
  bool from_nothing;  ///< it changes the architecture: for new models alone
};

/// In the order in which they are tried.
constexpr Recipe kRecipes[] = {
    {"as given", [](FinetuneOptions&) {}, false},
    {"attention in the last layer", [](FinetuneOptions& o) { o.set.emplace_back("mixers=top:1"); },
     true},
    {"attention over the rows", [](FinetuneOptions& o) { o.set.emplace_back("pooling=attention"); },
     true},
    {"half the learning rate", [](FinetuneOptions& o) { o.learning_rate /= 2; }, false},
    {"less token dropout",
     [](FinetuneOptions& o) {
       o.token_dropout = 0.2;
       for (NamedTask& task : o.tasks) task.token_dropout = 0.2;
     },
     false},
    {"another seed", [](FinetuneOptions& o) { ++o.seed; }, false},
};

/// Fewer epochs than this tell little of a recipe.
constexpr std::int64_t kFewestEpochs = 3;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

}  // namespace

AutoReport finetune_auto(const FinetuneOptions& given, double minutes,
                         const TrainingCallbacks& callbacks) {
  const FinetuneOptions options = settled(given);
  require(minutes > 0, Kind::usage, "minutes: expected more than 0, found {}", minutes);
  require(rank_place().size == 1, Kind::usage,
          "auto: expected one process, as its recipes end by the clock, found {}",
          rank_place().size);
  const Clock::time_point start = Clock::now();
  const double allowed = minutes * 60;
  AutoReport report;
  double epoch_seconds = 0;  // of the recipe that took longest, everything included
  for (const Recipe& recipe : kRecipes) {
    if (recipe.from_nothing && !options.from.empty()) continue;
    FinetuneOptions own = options;
    recipe.change(own);
    own.checkpoint_steps = 0;  // how far a recipe gets is a matter of time
    const double left = allowed - seconds_since(start);
    if (epoch_seconds > 0) {
      own.epochs = std::min(own.epochs, static_cast<std::int64_t>(left / epoch_seconds));
      if (own.epochs < std::min(kFewestEpochs, options.epochs)) break;
      own.overwrite = true;  // what stands there is this run's, or was allowed to be replaced
    }
    if (callbacks.log) callbacks.log(fmt::format("recipe: {}, {} epochs", recipe.name, own.epochs));
    TrainingCallbacks watched = callbacks;
    bool late = false;
    watched.stop = [&] {
      late = seconds_since(start) > allowed;
      return late || (callbacks.stop && callbacks.stop());
    };
    const Clock::time_point began = Clock::now();
    const TrainingReport run = finetune(own, watched, epoch_seconds > 0);
    const double seconds = seconds_since(began);
    report.recipes.push_back({.name = recipe.name, .best = run.best, .seconds = seconds});
    if (report.recipes.size() == 1 || (run.best_epoch && run.best > report.training.best)) {
      report.kept = report.recipes.size() - 1;
      report.training = run;
    }
    if (run.interrupted) {
      report.training.interrupted = !late;
      break;
    }
    epoch_seconds = std::max(epoch_seconds, seconds / static_cast<double>(own.epochs));
  }
  require(report.training.best_epoch || report.training.interrupted, Kind::input,
          "minutes: expected time for an epoch, found that {} do not do; {} is as it was", minutes,
          options.out.string());
  return report;
}

}  // namespace fnet
