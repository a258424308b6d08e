#pragma once

#include <functional>
#include <span>
#include <string>
#include <string_view>

#include "cli/flags.h"

namespace fnet::cli {

/// What runs once a command's flags are read.
using Action = std::function<void()>;

/// A command: a row of a program's table. The name `a b` is the command b of the group a, which has
/// a row of its own in front.
struct Command {
  std::string_view name, help;
  std::string_view example = {};                ///< a command line, without the program's name
  Action (*declare)(FlagSet& flags) = nullptr;  ///< adds its flags
  void (*start)(char** argv) = nullptr;         ///< instead: runs with the arguments as they are
};

/// `fnet`, or `fnet-train`.
struct Program {
  std::string_view name, help, footer;
  std::span<const Command> commands;
  std::string_view log_pattern;  ///< of spdlog
};

/// Thrown by an action that is done, and whose answer is an exit code.
struct Finished {
  int code;
};

/// Thrown by an action that was interrupted and has tidied up: exit code 130.
struct Interrupted {};

/// The whole of main(): reads the arguments, runs the command, and tells an error in one line.
/// Returns the exit code.
int run_program(const Program& program, int argc, char** argv);

}  // namespace fnet::cli
