#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cli/program.h"

namespace fnet::cli {

/// The command that the arguments begin with, or null.
const Command* find_command(std::span<const Command> commands,
                            const std::vector<std::string>& arguments);

/// Fills the command's flags from the arguments, then from the environment. Where help or the
/// version is asked for, nothing is filled, and the text to print is returned. `name` is what the
/// user called the program.
/// Throws: usage.
std::optional<std::string> read_arguments(const Program& program, const std::string& name,
                                          const Command* command, const FlagSet& flags,
                                          const std::vector<std::string>& arguments);

}  // namespace fnet::cli
