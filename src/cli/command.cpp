#include "cli/command.h"

#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <sstream>
#include <string>

#include "cli/common_flags.h"
#include "cli/log.h"
#include "core/error.h"
#include "core/parallel.h"
#include "core/staged_directory.h"
#include "kernels/kernels.h"

namespace fnet::cli {

void add_dtype(FlagSet& flags, std::string& dtype) {
  std::vector<std::string> words = names_of(kernels::kDtypeNames);
  words.insert(words.begin(), "auto");
  flags.add("--dtype", &dtype, "type of the products; auto: as the weights are stored",
            {.words = std::move(words)});
}

void ModelFlags::declare(FlagSet& flags) {
  flags.add("DIR", &directory, "model directory", {.required = true});
  flags.group("Model");
  add_threads(flags, options.threads);
  add_dtype(flags, options.dtype);
  flags.add(
      "--packed-file", &options.packed_file,
      "keep the weights as packed for this machine in a file of DIR: later starts are faster");
  flags.add("--max-length", &options.max_length,
            "tokens a text, the rest is cut off; 0: as many as the model can read");
  flags.group("Options");
}

void write_new_directory(const std::filesystem::path& directory,
                         const std::function<void(const std::filesystem::path&)>& write) {
  StagedDirectory staged(directory, [](const std::string&) { return true; });
  require(!staged.occupied(), Kind::input,
          "{}: expected a new or empty directory, found files in it", directory.string());
  write(staged.stage());
  staged.publish();
}

Engine ModelFlags::load() const {
  Engine engine = Engine::load(directory, options);
  for (const std::string& warning : engine.warnings()) log_warning("{}", warning);
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
  // OpenMP's threads wait for each other by spinning for up to 15 ms, which a thread that another
  // program has pushed aside needs for itself; its library reads the limit only when it is loaded.
  if (std::getenv("OMP_WAIT_POLICY") == nullptr) {
    const int spins = spins_in(std::chrono::microseconds(10));
    setenv("GOMP_SPINCOUNT", std::to_string(spins).c_str(), 0);
  }
  execv(trainer.c_str(), argv);
  fail(Kind::system, "{}: expected to start, found: {}", trainer.string(), std::strerror(errno));
}

}  // namespace fnet::cli
