// fnet: commands over models. Results go to standard output, log and errors to standard error.
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdlib>
#include <map>
#include <new>

#include "cli/command.h"
#include "cli/output.h"
#include "core/error.h"

namespace fnet::cli {
namespace {

constexpr std::array kCommands = {
    Command{"init", "make a model with random weights", declare_init},
    Command{"tokenizer", "learn a tokenizer; text to ids and back", declare_tokenizer},
    Command{"evaluate", "compare a model with labelled data", declare_evaluate},
    Command{"predict", "label texts or words", declare_predict},
    Command{"embed", "a vector for each text", declare_embed},
    Command{"info", "what a model is; what this build offers", declare_info},
    Command{"quantize", "a copy of a model with smaller weights", declare_quantize},
    Command{"bench", "how fast a model runs here, and what the machine could do", declare_bench},
};

constexpr std::array kTrainCommands = {
    TrainCommand{"finetune", "train a model for a task, from a model or from nothing"},
};

constexpr const char* kFooter =
    "'fnet COMMAND --help' tells a command's flags. FNET_THREADS, FNET_ISA and FNET_LOG stand in "
    "for\n"
    "the flags --threads, --isa and --log-level. Exit codes: 0 done, 1 failed, 2 wrong usage or "
    "bad\n"
    "input, 130 interrupted.";

/// Flags that every command has.
struct CommonFlags {
  std::string isa, log_level = "info";

  void declare(CLI::App& app) {
    app.add_option("--isa", isa, "instruction set of the kernels; 'fnet info' lists them")
        ->envname("FNET_ISA");
    app.add_option("--log-level", log_level, "what is told on standard error")
        ->envname("FNET_LOG")
        ->check(one_of({"debug", "info", "warn", "error", "off"}))
        ->capture_default_str();
  }

  void apply() const {
    if (!isa.empty()) setenv("FNET_ISA", isa.c_str(), 1);  // NOLINT: no other thread runs yet
    spdlog::set_level(spdlog::level::from_str(log_level));
  }
};

void start_log() {
  auto log = spdlog::stderr_color_mt("fnet");
  log->set_pattern("fnet: %v");
  spdlog::set_default_logger(log);
}

int report(std::string message, Error::Kind kind) {
  std::replace(message.begin(), message.end(), '\n', ' ');
  std::fprintf(stderr, "fnet: %s\n", message.c_str());
  return exit_code(kind);
}

/// The leaf of the commands that were given.
CLI::App* parsed_command(CLI::App* app) {
  const auto below = app->get_subcommands();
  return below.empty() ? app : parsed_command(below.front());
}

/// CLI11's message, with the nearest flag behind one that is not known.
std::string explain(CLI::App& app, const CLI::ParseError& error) {
  std::vector<std::string> flags;
  for (const CLI::Option* option : parsed_command(&app)->get_options()) {
    for (const std::string& name : option->get_lnames()) flags.push_back("--" + name);
  }
  const auto unknown = parsed_command(&app)->remaining();
  const std::string close = unknown.empty() ? "" : nearest(unknown.front(), flags);
  return std::string(error.what()) + (close.empty() ? "" : "; did you mean '" + close + "'?");
}

int run(int argc, char** argv) {
  for (const TrainCommand& command : kTrainCommands) {
    if (argc > 1 && command.name == argv[1]) run_trainer(argv);
  }
  CLI::App app("Fourier-mixing encoders: train, run and inspect FNet models", "fnet");
  app.set_version_flag("--version", "fnet " FNET_VERSION);
  app.require_subcommand(1);
  app.footer(kFooter);
  std::vector<std::pair<CLI::App*, Action>> actions;
  std::map<CLI::App*, CommonFlags>
      common;  // apart: CLI11 fills those of every command from the environment
  for (const Command& command : kCommands) {
    CLI::App* sub = app.add_subcommand(std::string(command.name), std::string(command.help));
    actions.emplace_back(sub, command.declare(*sub));
    const auto below = sub->get_subcommands([](CLI::App*) { return true; });
    for (CLI::App* leaf : below) common[leaf].declare(*leaf);
    if (below.empty()) common[sub].declare(*sub);
  }
  for (const TrainCommand& command : kTrainCommands) {
    app.add_subcommand(std::string(command.name),
                       std::string(command.help) + " (starts fnet-train)");
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& success) {
    return app.exit(success);
  } catch (const CLI::ParseError& error) {
    return report(explain(app, error), Kind::usage);
  }
  common[parsed_command(&app)].apply();
  for (const auto& [sub, action] : actions) {
    if (sub->parsed()) action();
  }
  return 0;
}

}  // namespace
}  // namespace fnet::cli

int main(int argc, char** argv) {
  using namespace fnet;
  std::signal(SIGINT, [](int) { _exit(130); });
  try {
    cli::start_log();
    return cli::run(argc, argv);
  } catch (const cli::OutputClosed&) {
    return 1;
  } catch (const Error& error) {
    return cli::report(error.what(), error.kind());
  } catch (const std::bad_alloc&) {
    return cli::report("memory: expected more of it, found none", Kind::system);
  } catch (const std::exception& error) {
    return cli::report(std::string("unexpected: ") + error.what(), Kind::internal);
  }
}
