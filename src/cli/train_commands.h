#pragma once

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>

#include "cli/common_flags.h"
#include "cli/program.h"
#include "fnet/finetune.h"
#include "model/allowed.h"

// What the commands of fnet-train share.
namespace fnet::cli {

Action declare_pretrain(FlagSet& flags);
Action declare_distill(FlagSet& flags);
Action declare_train_bench(FlagSet& flags);

/// A flag for each option of a training that is a plain value; `list` visits them, as
/// finetune_options does.
template <class Options, class List>
void add_options(FlagSet& set, Options& options, List&& list) {
  list([&](std::string_view name, auto member, const Allowed& allowed, std::string_view help) {
    if (name == "threads") return add_threads(set, options.threads);
    std::string flag = name == "learning_rate" ? "lr" : std::string(name);
    std::ranges::replace(flag, '_', '-');
    FlagRules rules = {.words = names_of(allowed.names), .option = std::string(name)};
    if (allowed.low < allowed.high) rules.range = Range{allowed.low, allowed.high};
    set.add("--" + flag, &(options.*member), std::string(help), std::move(rules));
  });
}

/// Shows on standard error how a training goes, and ends it at Ctrl-C or SIGTERM: after the step;
/// a second one ends the program.
class TrainingWatch {
 public:
  /// What a run is counted in.
  enum class Counts { epochs, steps };

  explicit TrainingWatch(Counts counts);
  TrainingWatch(const TrainingWatch&) = delete;
  TrainingWatch& operator=(const TrainingWatch&) = delete;
  ~TrainingWatch() { clear(); }

  const TrainingCallbacks& callbacks() const noexcept { return callbacks_; }

  /// Takes the bar away, for a line of the log.
  void clear();

  /// Ends a command whose training was stopped. Throws: Interrupted, unless SIGTERM asked for it
  /// and nothing is lost: whoever sends that takes the machine away and is to see that all is well.
  void tell_stopped(const TrainingReport& report);

 private:
  void show(const TrainingProgress& progress);
  void tell(const EpochReport& epoch);

  Counts counts_;
  TrainingCallbacks callbacks_;
  const bool terminal_;
  std::chrono::steady_clock::time_point shown_;
  bool open_ = false;
};

/// Runs a training that is counted in steps, and tells which model it left in `out`.
void run_in_steps(const std::function<TrainingReport(const TrainingCallbacks&)>& train,
                  const std::filesystem::path& out);

}  // namespace fnet::cli
