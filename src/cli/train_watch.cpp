#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <cstdio>
#include <string>

#include "cli/log.h"
#include "cli/train_commands.h"
#include "core/error.h"

namespace fnet::cli {
namespace {

std::atomic<int> stop_signal = 0;

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

}  // namespace

TrainingWatch::TrainingWatch(Counts counts)
    : counts_(counts), terminal_(isatty(STDERR_FILENO) != 0) {
  std::signal(SIGINT, ask_to_stop);
  std::signal(SIGTERM, ask_to_stop);
  callbacks_.log = [this](std::string_view line) {
    clear();
    log_info("{}", line);
  };
  callbacks_.progress = [this](const TrainingProgress& progress) { show(progress); };
  callbacks_.epoch = [this](const EpochReport& epoch) { tell(epoch); };
  callbacks_.stop = [] { return stop_signal.load() != 0; };
  callbacks_.lost = [this](std::string_view line) {
    const std::string message = fmt::format("{}fnet: {}\n", terminal_ ? "\r\033[K" : "", line);
    static_cast<void>(write(STDERR_FILENO, message.data(), message.size()) < 0);
    _exit(exit_code(Error::Kind::system));
  };
}

/// A bar on a terminal, a line now and then elsewhere.
void TrainingWatch::show(const TrainingProgress& p) {
  if (!log_tells(LogLevel::info)) return;
  const auto now = std::chrono::steady_clock::now();
  const auto pause = terminal_ ? std::chrono::milliseconds(100) : std::chrono::seconds(10);
  if (now - shown_ < pause && p.step != p.steps) return;
  shown_ = now;
  const double share = static_cast<double>(p.step) / static_cast<double>(p.steps);
  const std::string place = counts_ == Counts::epochs
                                ? fmt::format("epoch {}/{}", p.epoch, p.epochs)
                                : fmt::format("step {}/{}", p.step, p.steps);
  // What matters most stands first; the bar has what is left of the line.
  const std::string state =
      fmt::format("{:3.0f} %  ETA {}  {}  loss {:.4f}  {} tokens/s", 100 * share,
                  clock_text(p.seconds_left), place, p.loss, count_text(p.tokens_per_second));
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

void TrainingWatch::tell(const EpochReport& epoch) {
  clear();
  std::string metrics;
  for (const auto& [name, value] : epoch.metrics)
    metrics += fmt::format("  {} {:.4f}", name, value);
  if (epoch.epoch == 0) return log_info("before training: dev{}", metrics);
  const std::string place = counts_ == Counts::epochs ? fmt::format("epoch {}", epoch.epoch)
                                                      : fmt::format("step {}", epoch.step);
  const std::string dev =
      counts_ == Counts::epochs ? "dev" : fmt::format("dev loss {:.4f}", epoch.dev_loss);
  log_info("{}: loss {:.4f}, {}{}  ({:.1f} s, {} tokens/s){}", place, epoch.loss, dev, metrics,
           epoch.seconds, count_text(epoch.tokens_per_second), epoch.best ? "  best" : "");
}

void TrainingWatch::clear() {
  if (open_) std::fputs("\r\033[K", stderr);
  open_ = false;
}

void TrainingWatch::tell_stopped(const TrainingReport& report) {
  clear();
  if (report.checkpoint && report.leads) {
    log_info("to go on from step {}, run the same command again", *report.checkpoint);
  }
  // Without a signal, another one of several processes was asked.
  if (stop_signal != SIGINT && report.checkpoint == report.step) return;
  throw Interrupted();
}

void run_in_steps(const std::function<TrainingReport(const TrainingCallbacks&)>& train,
                  const std::filesystem::path& out) {
  TrainingWatch watch(TrainingWatch::Counts::steps);
  const TrainingReport report = train(watch.callbacks());
  watch.clear();
  if (report.interrupted) return watch.tell_stopped(report);
  if (!report.leads) return;
  std::int64_t step = 0;
  for (const EpochReport& epoch : report.epochs)
    if (epoch.epoch == *report.best_epoch) step = epoch.step;
  log_info("best: {}, dev {} {:.4f}; model and report.html in {}",
           step > 0 ? fmt::format("step {}", step) : "the model that training started from",
           report.metric, report.best, out.string());
}

}  // namespace fnet::cli
