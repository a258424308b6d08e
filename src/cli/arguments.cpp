// The only file that includes CLI11, which takes a compiler longer than all else here.
#include "cli/arguments.h"

#include <fmt/ranges.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdlib>
#include <map>
#include <nlohmann/json.hpp>

#include "core/error.h"

namespace fnet::cli {
namespace {

using Options = std::map<const Flag*, CLI::Option*>;

std::vector<std::string> words_of(std::string_view name) {
  const std::size_t space = name.find(' ');
  if (space == std::string_view::npos) return {std::string(name)};
  return {std::string(name.substr(0, space)), std::string(name.substr(space + 1))};
}

/// What stands behind a flag's name in the help.
std::string label(const Flag& flag) {
  if (!flag.rules.words.empty()) return fmt::format("{}", fmt::join(flag.rules.words, "|"));
  if (flag.rules.range) {
    return fmt::format("{}..{}", flag.rules.range->low, flag.rules.range->high);
  }
  const std::string allowed = flag.allowed();
  if (allowed == "a path") return "PATH";
  return allowed == "text" ? "TEXT" : "N";
}

Options add_options(CLI::App& app, const FlagSet& flags) {
  Options options;
  for (const Flag& flag : flags.flags()) {
    const std::string& variable = flag.rules.environment;
    const std::vector<std::string>& unless = flag.rules.unless;
    // Not a text that CLI11 could write to: it would take that as the flag's value.
    const std::string help =
        flag.help + (variable.empty() ? "" : " (or " + variable + ")") +
        (unless.empty() ? "" : fmt::format(" (required without {})", fmt::join(unless, " or ")));
    CLI::Option* option = nullptr;
    const char letter = flag.rules.letter;
    const std::string names = letter == 0 ? flag.name : fmt::format("-{},{}", letter, flag.name);
    if (std::holds_alternative<bool*>(flag.value)) {
      option = app.add_flag(names, help);
    } else {
      option = app.add_option(names, CLI::callback_t(), help);
      option->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
      option->expected(1, flag.rules.several ? CLI::detail::expected_max_vector_size : 1);
      option->allow_extra_args(flag.rules.several);
      option->type_name(label(flag))->default_str(flag.default_text);
    }
    option->required(flag.rules.required && flag.rules.unless.empty());
    const bool positional = flag.name.front() != '-';
    option->group(positional ? "Positionals" : flag.group);
    options[&flag] = option;
  }
  return options;
}

/// An argument that CLI11 could not place: likely a mistyped flag.
[[noreturn]] void fail_unknown(const std::string& argument, const std::string& command,
                               const FlagSet& flags) {
  std::vector<std::string> names;
  for (const Flag& flag : flags.flags()) names.push_back(flag.name);
  const std::string near = nearest(argument, names);
  fail(Kind::usage, "{}: expected a flag or argument of '{}', found none of that name{}",
       printable(argument), command,
       near.empty() ? fmt::format("; '{} --help' lists them", command)
                    : fmt::format("; did you mean '{}'?", near));
}

[[noreturn]] void fail_missing(const Flag& flag, const std::string& command) {
  fail(Kind::usage, "{}: expected {}, found none; '{} --help' tells more", flag.name, flag.help,
       command);
}

[[noreturn]] void fail_without_command(const Program& program, const std::string& name,
                                       const std::vector<std::string>& arguments) {
  std::vector<std::string> names, group;
  for (const Command& command : program.commands) {
    const std::vector<std::string> words = words_of(command.name);
    if (words.size() == 1)
      names.push_back(words[0]);
    else if (!arguments.empty() && words[0] == arguments[0])
      group.push_back(words[1]);
  }
  const std::size_t at = group.empty() ? 0 : 1;
  if (!group.empty()) names = group;
  const std::string found = arguments.size() > at ? arguments[at] : "";
  const std::string near = nearest(found, names);
  fail(Kind::usage, "command: expected one of {}, found {}{}", fmt::join(names, ", "),
       found.empty() ? "none" : "'" + printable(found) + "'",
       near.empty() ? fmt::format("; '{} --help' tells what they do", name)
                    : fmt::format("; did you mean '{}'?", near));
}

/// A command with its flags, or the program with its commands, for programs.
nlohmann::ordered_json help_json(const Program& program, const std::string& name,
                                 const Command* command, const FlagSet& flags) {
  if (command != nullptr) {
    return {{"name", command->name},
            {"help", command->help},
            {"example", fmt::format("{} {}", name, command->example)},
            {"flags", flags.to_json()}};
  }
  nlohmann::ordered_json rows = nlohmann::ordered_json::array();
  for (const Command& row : program.commands) {
    const bool group = row.declare == nullptr && row.start == nullptr;
    rows.push_back({{"name", row.name}, {"help", row.help}, {"group", group}});
  }
  return {{"name", program.name},
          {"version", FNET_VERSION},
          {"help", program.help},
          {"footer", program.footer},
          {"commands", rows}};
}

/// Reads what was given into the flags' values.
void fill(const FlagSet& flags, const Options& options, const std::string& command) {
  for (const Flag& flag : flags.flags()) {
    const CLI::Option& option = *options.at(&flag);
    if (option.count() > 0) {
      for (const Flag& other : flags.flags()) {
        const bool both = std::ranges::count(flag.rules.without, other.name) > 0 &&
                          options.at(&other)->count() > 0;
        require(!both, Kind::usage, "{}: expected none beside {}, which settles it", flag.name,
                other.name);
      }
      flag.read(option.results(), flag.name);
      if (flag.rules.then) flag.rules.then();
    } else if (flag.rules.required) {
      const bool given = std::ranges::any_of(flags.flags(), [&](const Flag& other) {
        return std::ranges::count(flag.rules.unless, other.name) > 0 &&
               options.at(&other)->count() > 0;
      });
      if (!given) fail_missing(flag, command);
    } else if (!flag.rules.environment.empty()) {
      const char* text = std::getenv(flag.rules.environment.c_str());  // NOLINT: one thread
      if (text != nullptr && *text != 0)
        flag.read(std::vector<std::string>{text}, flag.rules.environment);
    }
  }
}

}  // namespace

const Command* find_command(std::span<const Command> commands,
                            const std::vector<std::string>& arguments) {
  for (const Command& command : commands) {
    const std::vector<std::string> words = words_of(command.name);
    const bool group = command.declare == nullptr && command.start == nullptr;
    if (group || words.size() > arguments.size()) continue;
    if (std::equal(words.begin(), words.end(), arguments.begin())) return &command;
  }
  return nullptr;
}

std::optional<std::string> read_arguments(const Program& program, const std::string& name,
                                          const Command* command, const FlagSet& flags,
                                          const std::vector<std::string>& arguments) {
  const std::string full_name = command == nullptr ? name : name + ' ' + std::string(command->name);
  if (!arguments.empty() && arguments.back() == "--help-json")
    return help_json(program, name, command, flags).dump(2) + '\n';
  CLI::App app{std::string(program.help), name};
  app.set_version_flag("--version", name + " " + FNET_VERSION);
  app.require_subcommand(1);
  app.footer(std::string(program.footer));
  Options options;
  for (const Command& row : program.commands) {
    const std::vector<std::string> words = words_of(row.name);
    CLI::App* parent = words.size() == 1 ? &app : app.get_subcommand(words[0]);
    CLI::App* sub = parent->add_subcommand(words.back(), std::string(row.help));
    if (words.size() > 1) parent->require_subcommand(1);
    if (&row != command) continue;
    options = add_options(*sub, flags);
    sub->footer(fmt::format("Example:\n  {} {}", name, row.example));
  }
  try {
    app.parse(std::vector<std::string>(arguments.rbegin(), arguments.rend()));
  } catch (const CLI::CallForHelp&) {
    return app.help();
  } catch (const CLI::CallForAllHelp&) {
    return app.help("", CLI::AppFormatMode::All);
  } catch (const CLI::CallForVersion& version) {
    return std::string(version.what()) + '\n';
  } catch (const CLI::ParseError& error) {
    if (command == nullptr) fail_without_command(program, name, arguments);
    const std::vector<std::string> unknown = app.remaining(true);
    if (!unknown.empty()) fail_unknown(unknown.front(), full_name, flags);
    for (const Flag& flag : flags.flags()) {
      const bool needed = flag.rules.required && flag.rules.unless.empty();
      if (needed && options[&flag]->count() == 0) fail_missing(flag, full_name);
    }
    const std::string message = error.what();
    for (const Flag& flag : flags.flags()) {
      require(!message.starts_with(flag.name + ": "), Kind::usage, "{}: expected {}, found none",
              flag.name, flag.allowed());
    }
    fail(Kind::usage, "{}", message);
  }
  fill(flags, options, full_name);
  return {};
}

}  // namespace fnet::cli
