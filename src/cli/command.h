#pragma once

#include <CLI/CLI.hpp>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "fnet/engine.h"

namespace fnet::cli {

/// What runs once a command's flags are read.
using Action = std::function<void()>;

/// A subcommand: a row of the table in main.cpp.
struct Command {
  std::string_view name, help;
  Action (*declare)(CLI::App& app);  ///< adds the flags to `app`
};

// One file each.
Action declare_init(CLI::App& app);
Action declare_tokenizer(CLI::App& app);
Action declare_evaluate(CLI::App& app);
Action declare_predict(CLI::App& app);
Action declare_embed(CLI::App& app);
Action declare_info(CLI::App& app);
Action declare_quantize(CLI::App& app);
Action declare_bench(CLI::App& app);

/// A command that needs libtorch: another program runs it.
struct TrainCommand {
  std::string_view name, help;
};

/// Where fnet-train is: beside this program, else in PATH; empty in a lean install.
std::filesystem::path find_trainer();

/// Becomes fnet-train with the same arguments. Throws: usage where there is none.
[[noreturn]] void run_trainer(char** argv);

/// Makes a directory to write into. Throws: input where it has files already, system.
void make_new_directory(const std::filesystem::path& directory);

/// Accepts these words only.
CLI::Validator one_of(std::vector<std::string> words);

/// The flags of a command that runs a model.
struct ModelFlags {
  std::filesystem::path directory;
  EngineOptions options;

  void declare(CLI::App& app);

  /// The engine; what it noticed while loading goes to the log.
  Engine load() const;
};

}  // namespace fnet::cli
