// fnet-train: what `fnet finetune` starts.
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <memory>
#include <string>

#include "cli/common_flags.h"
#include "cli/log.h"
#include "cli/program.h"
#include "core/error.h"
#include "fnet/finetune.h"
#include "train/finetune_options.h"

namespace fnet::cli {
namespace {

std::atomic<int> stop_signal = 0;

/// Ctrl-C and SIGTERM end training after the step; a second one ends the program.
extern "C" void ask_to_stop(int signal) {
  stop_signal = signal;
  std::signal(signal, SIG_DFL);
}

std::string clock_text(double seconds) {
  const auto s = static_cast<long>(std::max(0.0, seconds) + 0.5);
  return s < 3600 ? fmt::format("{}:{:02}", s / 60, s % 60)
                  : fmt::format("{}:{:02}:{:02}", s / 3600, s / 60 % 60, s % 60);
}

std::string count_text(double n) {
  return n < 10'000 ? fmt::format("{:.0f}", n) : fmt::format("{:.1f}k", n / 1000);
}

/// A bar on a terminal, a line now and then elsewhere.
class ProgressBar {
 public:
  ProgressBar() = default;
  ProgressBar(const ProgressBar&) = delete;
  ProgressBar& operator=(const ProgressBar&) = delete;
  ~ProgressBar() { clear(); }

  void show(const TrainingProgress& p) {
    if (!log_tells(LogLevel::info)) return;
    const auto now = std::chrono::steady_clock::now();
    const auto pause = terminal_ ? std::chrono::milliseconds(100) : std::chrono::seconds(10);
    if (now - shown_ < pause && p.step != p.steps) return;
    shown_ = now;
    const double share = static_cast<double>(p.step) / static_cast<double>(p.steps);
    // What matters most stands first; the bar has what is left of the line.
    const std::string state = fmt::format(
        "{:3.0f} %  ETA {}  epoch {}/{}  loss {:.4f}  {} tokens/s", 100 * share,
        clock_text(p.seconds_left), p.epoch, p.epochs, p.loss, count_text(p.tokens_per_second));
    if (!terminal_) {
      fmt::print(stderr, "{}\n", state);
      return;
    }
    // Cut to the terminal's width: a wrapped line cannot be written over.
    winsize size{};
    std::size_t columns = 80;
    if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) columns = size.ws_col;
    const std::size_t width =
        std::min<std::size_t>(24, columns - std::min(columns, state.size() + 3));
    std::string bar;
    for (std::size_t i = 0; i < width; ++i)
      bar += static_cast<double>(i) < share * static_cast<double>(width) ? "█" : "░";
    fmt::print(stderr, "\r{} {}\033[K", state.substr(0, columns - 1), bar);
    std::fflush(stderr);
    open_ = true;
  }

  /// Takes the bar away, for a line of the log.
  void clear() {
    if (open_) std::fputs("\r\033[K", stderr);
    open_ = false;
  }

 private:
  const bool terminal_ = isatty(STDERR_FILENO) != 0;
  std::chrono::steady_clock::time_point shown_;
  bool open_ = false;
};

struct Flags {
  bool recipes = false;
  double minutes = 10;
  std::filesystem::path config, task_config;
  FinetuneOptions options;
  ReadOptions read;
};

void add_training_flags(FlagSet& set, FinetuneOptions& options) {
  set.group("Training");
  finetune_options(
      [&](std::string_view name, auto member, const Allowed& allowed, std::string_view help) {
        if (name == "threads") return add_threads(set, options.threads);
        std::string flag = name == "learning_rate" ? "lr" : std::string(name);
        std::ranges::replace(flag, '_', '-');
        FlagRules rules = {.words = names_of(allowed.names), .option = std::string(name)};
        if (allowed.low < allowed.high) rules.range = Range{allowed.low, allowed.high};
        set.add("--" + flag, &(options.*member), std::string(help), std::move(rules));
      });
}

/// The command that goes on from the model in `out`.
std::string advice(const FinetuneOptions& o) {
  if (o.from == o.out) return "to go on from its weights, run the same command again";
  return fmt::format("to go on from its weights, run the same command with `--from {}{}`{}{}",
                     o.out.string(), o.overwrite ? "" : " --overwrite",
                     o.from.empty() ? "" : " in place of --from " + o.from.string(),
                     o.tokenizer.empty() ? "" : " and without --tokenizer");
}

TrainingReport best_recipe(const FinetuneOptions& options, double minutes,
                           const TrainingCallbacks& callbacks) {
  const AutoReport report = finetune_auto(options, minutes, callbacks);
  for (std::size_t i = 0; i < report.recipes.size(); ++i) {
    const AutoReport::Recipe& recipe = report.recipes[i];
    callbacks.log(fmt::format("{}: dev {} {:.4f} ({:.0f} s){}", recipe.name, report.training.metric,
                              recipe.best, recipe.seconds, i == report.kept ? "  kept" : ""));
  }
  return report.training;
}

void finetune(const Flags& flags) {
  FinetuneOptions options = flags.options;
  options.input_format = flags.read.format;
  options.skip_bad_lines = flags.read.skip_bad_lines;
  if (!flags.task_config.empty()) load_tasks(flags.task_config, options);
  std::signal(SIGINT, ask_to_stop);
  std::signal(SIGTERM, ask_to_stop);

  ProgressBar bar;
  TrainingCallbacks callbacks;
  callbacks.log = [&](std::string_view line) {
    bar.clear();
    log_info("{}", line);
  };
  callbacks.progress = [&](const TrainingProgress& progress) { bar.show(progress); };
  callbacks.epoch = [&](const EpochReport& epoch) {
    bar.clear();
    std::string metrics;
    for (const auto& [name, value] : epoch.metrics)
      metrics += fmt::format("  {} {:.4f}", name, value);
    if (epoch.epoch == 0) return log_info("before training: dev{}", metrics);
    log_info("epoch {}: loss {:.4f}, dev{}  ({:.1f} s, {} tokens/s){}", epoch.epoch, epoch.loss,
             metrics, epoch.seconds, count_text(epoch.tokens_per_second),
             epoch.best ? "  best" : "");
  };
  callbacks.stop = [] { return stop_signal.load() != 0; };

  const TrainingReport report = flags.recipes ? best_recipe(options, flags.minutes, callbacks)
                                              : fnet::finetune(options, callbacks);
  bar.clear();
  if (report.interrupted) {
    if (report.checkpoint) {
      log_info("to go on from step {}, run the same command again", *report.checkpoint);
    } else if (report.resumable) {
      log_info("{}", advice(options));
    }
    // Whoever sends SIGTERM takes the machine away and is to see that all is well.
    if (stop_signal == SIGTERM && report.checkpoint == report.step) return;
    throw Interrupted();
  }
  log_info("best: {}, dev {} {:.4f}; model and report.html in {}",
           *report.best_epoch > 0 ? fmt::format("epoch {}", *report.best_epoch)
                                  : "the model that training started from",
           report.metric, report.best, options.out.string());
}

Action declare_finetune(FlagSet& set) {
  const auto flags = std::make_shared<Flags>();
  FinetuneOptions& o = flags->options;
  std::vector<std::string> tasks = names_of(task_kinds());
  std::erase(tasks, "encoder");
  set.add("--config", &flags->config,
          "run.json of an earlier run: its options, where no other flag says otherwise",
          {.then = [flags] {
            flags->options = load_run(flags->config);
            flags->read.format = flags->options.input_format;
            flags->read.skip_bad_lines = flags->options.skip_bad_lines;
          }});
  set.add("--task", &o.task, "what the model learns", {.words = tasks, .other_words = true});
  add_problem_type(set, o.problem_type);
  set.add(
      "--task-config", &flags->task_config,
      "several tasks, each with a head, data and a loss of its own on one encoder: a JSON file, "
      "see docs/data-formats.md",
      {.without = {"--task", "--problem-type", "--train", "--dev"}});
  set.add("--train", &o.train,
          "training data: TSV, CSV, JSONL, CoNLL, fastText's lines or NumPy's arrays, plain or gzip",
          {.required = true, .unless = {"--config", "--task-config"}});
  set.add("--dev", &o.dev,
          "data that selects the best epoch; without it a tenth of --train, chosen by --seed");
  set.add(
      "--train-labels", &o.train_labels,
      "of numbers: a file with the labels of --train, NumPy's, a table's column or a line each");
  set.add("--dev-labels", &o.dev_labels, "the same of --dev");
  set.add("--out", &o.out, "model directory to write",
          {.required = true, .letter = 'o', .unless = {"--config"}});
  set.add("--overwrite", &o.overwrite,
          "replace the model that --out holds, once there is a better one or training ends");
  set.add("--auto", &flags->recipes,
          "try a handful of recipes, as long as --minutes last, and keep the best on dev");
  set.add("--minutes", &flags->minutes, "time for the recipes of --auto, which it implies",
          {.range = Range{0, 100'000}, .then = [flags] { flags->recipes = true; }});
  set.group("Model");
  set.add("--from", &o.from, "model directory to start from");
  add_variant(set, o.variant, "size of a new model", {"--from"});
  set.add("--tokenizer", &o.tokenizer,
          "SentencePiece model; without it that of --from, or a new one is trained");
  set.add("--vocab-size", &o.vocab_size,
          "pieces of that tokenizer; 0: 16000, fewer for little text",
          {.range = Range{0, 1 << 20}, .without = {"--from", "--tokenizer"}});
  add_settings(set, o.set);
  set.add("--skip-mismatch", &o.skip_mismatch,
          "take the weights of --from that fit, leave out the others");
  set.add("--resize-positions", &o.resize_positions,
          "of the position table of --from for another max_position_embeddings",
          {.words = {"copy", "interpolate"}});
  set.add("--freeze", &o.freeze,
          "weights that do not learn, by name, its start, or a pattern: embeddings, "
          "encoder.layer.[0-5], *.LayerNorm.*",
          {.several = true});
  add_data(set, flags->read, o.columns);
  add_training_flags(set, o);
  set.add("--matryoshka-dims", &o.matryoshka_dims,
          "of sentence-similarity: so many first numbers of a vector learn to tell likeness alone: "
          "64,128",
          {.separator = ','});
  return [flags] { finetune(*flags); };
}

constexpr std::array kCommands = {
    Command{"finetune", "train a model for a task on labelled texts",
            "finetune --task text-classification --train train.tsv --out model", declare_finetune},
};

constexpr Program kProgram = {
    "fnet-train", "Train FNet models",
    "'fnet COMMAND' starts this program for its commands. FNET_THREADS, FNET_ISA and FNET_LOG\n"
    "stand in for the flags --threads, --isa and --log-level. Exit codes: 0 done, 1 failed, 2 "
    "wrong\n"
    "usage or bad input, 130 interrupted.",
    kCommands, "%H:%M:%S %v"};

}  // namespace
}  // namespace fnet::cli

int main(int argc, char** argv) { return fnet::cli::run_program(fnet::cli::kProgram, argc, argv); }
