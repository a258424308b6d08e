#include "cli/command.h"

#include <fmt/ranges.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <sstream>

#include "core/error.h"

namespace fnet::cli {

CLI::Validator one_of(std::vector<std::string> words) {
  const std::string list = fmt::format("{}", fmt::join(words, "|"));
  const auto check = [words = std::move(words)](const std::string& word) {
    for (const std::string& known : words) {
      if (word == known) return std::string();
    }
    const std::string close = nearest(word, words);
    return fmt::format("expected one of {}, found '{}'{}", fmt::join(words, ", "), printable(word),
                       close.empty() ? "" : fmt::format("; did you mean '{}'?", close));
  };
  return CLI::Validator(check, list);
}

void ModelFlags::declare(CLI::App& app) {
  app.add_option("DIR", directory, "model directory")->required();
  app.add_option("--threads", options.threads, "threads; 0: one for each core")
      ->envname("FNET_THREADS")
      ->check(CLI::Range(0, 1024));
  app.add_option("--dtype", options.dtype, "type of the products; auto: as the weights are stored")
      ->check(one_of({"auto", "float32", "bfloat16", "int8"}))
      ->capture_default_str();
  app.add_flag(
      "--packed-file", options.packed_file,
      "keep the weights as packed for this machine in a file of DIR: later starts are faster");
  app.add_option("--max-length", options.max_length,
                 "tokens a text, the rest is cut off; 0: as many as the model can read");
}

void make_new_directory(const std::filesystem::path& directory) {
  std::error_code error;
  std::filesystem::create_directories(directory, error);
  require(!error, Kind::system, "{}: expected to make the directory, found: {}", directory.string(),
          error.message());
  require(std::filesystem::is_empty(directory), Kind::input,
          "{}: expected a new or empty directory, found files in it", directory.string());
}

Engine ModelFlags::load() const {
  Engine engine = Engine::load(directory, options);
  for (const std::string& warning : engine.warnings()) spdlog::warn("{}", warning);
  return engine;
}

std::filesystem::path find_trainer() {
  std::error_code error;
  std::string folders =
      std::filesystem::read_symlink("/proc/self/exe", error).parent_path().string();
  if (const char* path = std::getenv("PATH")) folders += std::string(":") + path;
  std::istringstream list(folders);
  for (std::string folder; std::getline(list, folder, ':');) {
    auto program = std::filesystem::path(folder.empty() ? "." : folder) / "fnet-train";
    if (access(program.c_str(), X_OK) == 0) return program;
  }
  return {};
}

void run_trainer(char** argv) {
  const std::filesystem::path trainer = find_trainer();
  require(!trainer.empty(), Kind::usage,
          "{}: expected the program fnet-train beside fnet or in PATH, found none: this is a lean "
          "install, which can do all but train; './dev build release' in fnet's sources makes both",
          argv[1]);
  execv(trainer.c_str(), argv);
  fail(Kind::system, "{}: expected to start, found: {}", trainer.string(), std::strerror(errno));
}

}  // namespace fnet::cli
