// fnet-train: what `fnet finetune` starts.
#include <sys/ioctl.h>
#include <unistd.h>

#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>
#include <CLI/CLI.hpp>
#include <algorithm>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <string>

#include "core/error.h"
#include "fnet/config.h"
#include "fnet/finetune.h"

namespace {

constexpr int kInterrupted = 130;

std::atomic<bool> stop_asked = false;

/// Ctrl-C ends training after the step; a second one ends the program.
extern "C" void ask_to_stop(int signal) {
  stop_asked = true;
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
  void show(const fnet::TrainingProgress& p) {
    const auto now = std::chrono::steady_clock::now();
    const auto pause = terminal_ ? std::chrono::milliseconds(100) : std::chrono::seconds(10);
    if (now - shown_ < pause && p.step != p.steps) return;
    shown_ = now;
    const double share = static_cast<double>(p.step) / static_cast<double>(p.steps);
    const std::string state = fmt::format(
        "epoch {}/{}  step {}/{}  loss {:.4f}  {} tokens/s  ETA {}", p.epoch, p.epochs, p.step,
        p.steps, p.loss, count_text(p.tokens_per_second), clock_text(p.seconds_left));
    if (!terminal_) {
      fmt::print(stderr, "{:3.0f} %  {}\n", 100 * share, state);
      return;
    }
    constexpr int kWidth = 24;
    const int full = static_cast<int>(share * kWidth);
    std::string bar;
    for (int i = 0; i < kWidth; ++i) bar += i < full ? "█" : "░";
    // Cut to the terminal's width: a wrapped line cannot be written over.
    winsize size{};
    std::size_t columns = 80;
    if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) columns = size.ws_col;
    const std::size_t room = columns > kWidth + 9U ? columns - kWidth - 9U : 0;
    fmt::print(stderr, "\r{} {:3.0f} %  {}\033[K", bar, 100 * share, state.substr(0, room));
    std::fflush(stderr);
    open_ = true;
  }

  /// Takes the bar away, for a line of the log.
  void clear() {
    if (open_) fmt::print(stderr, "\r\033[K");
    open_ = false;
  }

 private:
  const bool terminal_ = isatty(STDERR_FILENO) != 0;
  std::chrono::steady_clock::time_point shown_;
  bool open_ = false;
};

void add_options(CLI::App& app, fnet::FinetuneOptions& o) {
  const auto paths = [&](const char* flag, std::filesystem::path& path, const char* help) {
    return app.add_option(flag, path, help)->group("Data and model");
  };
  app.add_option("--task", o.task, "text-classification or token-classification")
      ->capture_default_str();
  paths("--train", o.train, "training data: TSV, CSV, JSONL or CoNLL, plain or gzip")->required();
  paths("--dev", o.dev, "data that selects the best epoch")->required();
  paths("--out", o.out, "model directory to write")->required();
  app.add_flag("--overwrite", o.overwrite,
               "replace the model that --out holds, once there is a better one or training ends")
      ->group("Data and model");
  app.add_flag("--skip-bad-lines", o.skip_bad_lines, "count bad lines instead of stopping");
  paths("--from", o.from, "model directory to start from");
  app.add_option("--variant", o.variant, "size of a new model: tiny, small, base, large")
      ->capture_default_str();
  paths("--tokenizer", o.tokenizer,
        "SentencePiece model of a new model; without it one is trained");
  app.add_option("--vocab-size", o.vocab_size,
                 "pieces of that tokenizer; 0: 16000, fewer for little text")
      ->capture_default_str();
  app.add_option("--set", o.set, "config key of the model: key=value; may be repeated")
      ->allow_extra_args(false);

  const char* training = "Training";
  const auto number = [&](const char* flag, auto& value, const char* help) {
    app.add_option(flag, value, help)->capture_default_str()->group(training);
  };
  number("--epochs", o.epochs, "passes over the training data");
  number("--batch-size", o.batch_size, "texts a step");
  number("--lr", o.learning_rate, "learning rate at its peak");
  number("--warmup", o.warmup, "share of the steps until the peak");
  number("--weight-decay", o.weight_decay, "AdamW's decay; biases and norms are left out");
  number("--max-grad-norm", o.max_grad_norm, "clip the gradient's norm; 0: never");
  number("--token-dropout", o.token_dropout,
         "share of input tokens replaced by [MASK]; -1: the task's");
  number("--label-smoothing", o.label_smoothing, "share of the target spread over all classes");
  number("--average", o.average, "decay of the weights' moving average; 0: the last weights");
  number("--class-weights", o.class_weights, "none or balanced");
  number("--max-length", o.max_length, "tokens a text; 0: the model's limit");
  number("--metric", o.metric,
         "that selects the best epoch; default: accuracy, or entity_f1 for entities");
  number("--patience", o.patience, "epochs without a better one before it stops; 0: never");
  number("--seed", o.seed, "the same command and seed give the same model");
  number("--threads", o.threads, "0: one for each core");
}

int finetune(const fnet::FinetuneOptions& options) {
  std::signal(SIGINT, ask_to_stop);
  std::signal(SIGTERM, ask_to_stop);

  ProgressBar bar;
  fnet::TrainingCallbacks callbacks;
  callbacks.log = [&](std::string_view line) {
    bar.clear();
    spdlog::info("{}", line);
  };
  callbacks.progress = [&](const fnet::TrainingProgress& progress) { bar.show(progress); };
  callbacks.epoch = [&](const fnet::EpochReport& epoch) {
    bar.clear();
    std::string metrics;
    for (const auto& [name, value] : epoch.metrics)
      metrics += fmt::format("  {} {:.2f}", name, 100 * value);
    if (epoch.epoch == 0) {
      spdlog::info("before training: dev{}", metrics);
      return;
    }
    spdlog::info("epoch {}: loss {:.4f}, dev{}  ({:.1f} s, {} tokens/s){}", epoch.epoch, epoch.loss,
                 metrics, epoch.seconds, count_text(epoch.tokens_per_second),
                 epoch.best ? "  best" : "");
  };
  callbacks.stop = [] { return stop_asked.load(); };

  const fnet::TrainingReport report = fnet::finetune(options, callbacks);
  bar.clear();
  if (report.interrupted) return kInterrupted;
  spdlog::info("best: {}, dev {} {:.2f}; model and report.html in {}",
               *report.best_epoch > 0 ? fmt::format("epoch {}", *report.best_epoch)
                                      : "the model that training started from",
               report.metric, 100 * report.best, options.out.string());
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  auto logger = spdlog::stderr_color_mt("fnet-train");
  spdlog::set_default_logger(logger);
  spdlog::set_pattern("%H:%M:%S %v");
  try {
    CLI::App app("Train FNet models", "fnet-train");
    app.require_subcommand(1);
    CLI::App& command =
        *app.add_subcommand("finetune", "train a model for a task on labelled texts");
    fnet::FinetuneOptions options;
    add_options(command, options);
    try {
      app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
      return app.exit(error) == 0 ? 0 : fnet::exit_code(fnet::Kind::usage);
    }
    return finetune(options);
  } catch (const fnet::Error& error) {
    fmt::print(stderr, "fnet-train: {}\n", error.what());
    return fnet::exit_code(error.kind());
  } catch (const std::exception& error) {  // c10::Error among them, whose message has a stack
    const std::string message = error.what();
    fmt::print(stderr, "fnet-train: {}\n", message.substr(0, message.find('\n')));
    return fnet::exit_code(fnet::Kind::internal);
  }
}
