#include "cli/program.h"

#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <new>

#include "cli/arguments.h"
#include "cli/log.h"
#include "cli/output.h"
#include "core/error.h"

namespace fnet::cli {
namespace {

constexpr int kInterrupted = 130;

/// Flags that every command has.
struct CommonFlags {
  std::string isa, log_level = "info";
  bool quiet = false, verbose = false;

  void declare(FlagSet& flags) {
    flags.group("Program");
    flags.add("--isa", &isa, "instruction set of the kernels; 'fnet info' lists them",
              {.environment = "FNET_ISA"});
    flags.add("--log-level", &log_level, "what is told on standard error",
              {.words = log_levels(), .environment = "FNET_LOG"});
    flags.add("--quiet", &quiet, "tell errors only: --log-level error",
              {.letter = 'q', .without = {"--log-level"}});
    flags.add("--verbose", &verbose, "tell more: --log-level debug",
              {.letter = 'v', .without = {"--log-level", "--quiet"}});
  }

  void apply() const {
    if (!isa.empty()) setenv("FNET_ISA", isa.c_str(), 1);  // NOLINT: no other thread runs yet
    set_log_level(quiet ? "error" : verbose ? "debug" : log_level);
  }
};

void run(const Program& program, const std::string& name, FlagSet& flags, int argc, char** argv) {
  std::vector<std::string> arguments(argv + std::min(argc, 1), argv + argc);
  // `fnet help predict` is `fnet predict --help`; `fnet help` and `fnet` list the commands.
  if (arguments.empty()) arguments = {"--help"};
  if (arguments[0] == "help") {
    std::rotate(arguments.begin(), arguments.begin() + 1, arguments.end());
    arguments.back() = "--help";
  }
  const Command* command = find_command(program.commands, arguments);
  if (command != nullptr && command->start != nullptr) return command->start(argv);
  Action action;
  CommonFlags common;
  if (command != nullptr) {
    action = command->declare(flags);
    common.declare(flags);
  }
  if (const auto text = read_arguments(program, name, command, flags, arguments)) {
    print(*text);
    return flush();
  }
  common.apply();
  action();
}

/// What the user called the program: fnet-train is `fnet` where that started it.
std::string called(const Program& program, int argc, char** argv) {
  const std::string_view path = argc > 0 ? std::string_view(argv[0]) : program.name;
  return std::string(path.substr(path.rfind('/') + 1));
}

}  // namespace

int run_program(const Program& program, int argc, char** argv) {
  std::signal(SIGINT, [](int) { _exit(kInterrupted); });
  const std::string name = called(program, argc, argv);
  const auto report = [&](std::string message, Kind kind) {
    std::ranges::replace(message, '\n', ' ');
    message = printable(message, message.size());
    std::fprintf(stderr, "%s: %s\n", name.c_str(), message.c_str());
    return exit_code(kind);
  };
  FlagSet flags;
  try {
    start_log(std::string(program.log_pattern));
    run(program, name, flags, argc, argv);
    return 0;
  } catch (const OutputClosed&) {
    return 1;
  } catch (const Finished& finished) {
    return finished.code;
  } catch (const Interrupted&) {
    return kInterrupted;
  } catch (const Error& error) {
    return report(flags.message(error), error.kind());
  } catch (const std::bad_alloc&) {
    return report("memory: expected more of it, found none", Kind::system);
  } catch (const std::filesystem::filesystem_error& error) {
    return report(fmt::format("{}: {}", error.path1().native(), error.code().message()),
                  Kind::system);
  } catch (const std::exception& error) {
    const std::string message = error.what();  // that of c10::Error has a stack behind it
    return report("unexpected: " + message.substr(0, message.find('\n')), Kind::internal);
  }
}

}  // namespace fnet::cli
