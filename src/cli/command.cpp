#include "cli/command.h"

#include <fcntl.h>
#include <fmt/ranges.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <sstream>
#include <string>

#include "cli/common_flags.h"
#include "cli/log.h"
#include "core/cores.h"
#include "core/error.h"
#include "core/parallel.h"
#include "core/staged_directory.h"
#include "kernels/kernels.h"

namespace fnet::cli {

namespace {

/// The values of Truncation, in order.
constexpr std::array<std::string_view, 6> kTruncations = {"longest_first", "right", "left",
                                                          "only_first",    "error", "windows"};

}  // namespace

void add_dtype(FlagSet& flags, std::string& dtype) {
  std::vector<std::string> words = names_of(kernels::kDtypeNames);
  words.insert(words.begin(), "auto");
  flags.add("--dtype", &dtype, "type of the products; auto: as the weights are stored",
            {.words = std::move(words)});
}

void ModelFlags::declare(FlagSet& flags) {
  flags.add("DIR", &directory, "model directory; box: the one that comes with the program",
            {.required = true, .model = true});
  flags.group("Model");
  add_threads(flags, options.threads);
  add_dtype(flags, options.dtype);
  flags.add(
      "--packed-file", &options.packed_file,
      "keep the weights as packed for this machine in a file of DIR: later starts are faster");
  flags.add("--max-length", &options.max_length,
            "tokens a text, the rest is cut off; 0: as many as the model can read");
  flags.add("--stride", &options.stride,
            "tokens that two windows share, where a long text is read in windows");
  flags.add("--truncation", &truncation,
            "what of a longer text gives way; windows: nothing, it is read in several: labels and "
            "vectors are the mean over them, a word's tag comes from the one with most around it",
            {.words = names_of(kTruncations)});
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

std::string model_name(const std::filesystem::path& directory) {
  const std::filesystem::path path = std::filesystem::absolute(directory).lexically_normal();
  return printable((path.has_filename() ? path : path.parent_path()).filename().string());
}

Tokenizer load_tokenizer(const std::filesystem::path& path) {
  std::vector<std::string> warnings;
  Tokenizer tokenizer = Tokenizer::load(path, &warnings);
  for (const std::string& warning : warnings) log_warning("{}", warning);
  return tokenizer;
}

Engine ModelFlags::load() const {
  const auto start = std::chrono::steady_clock::now();
  EngineOptions how = options;
  const auto found = std::ranges::find(kTruncations, truncation);
  how.truncation = static_cast<Truncation>(found - kTruncations.begin());
  Engine engine = Engine::load(directory, how);
  const std::chrono::duration<double, std::milli> taken = std::chrono::steady_clock::now() - start;
  log_debug("{}: loaded in {:.0f} ms; kernels {}, {} cores", directory.string(), taken.count(),
            kernels::table().name, available_cores());
  for (const std::string& warning : engine.warnings()) log_warning("{}", warning);
  return engine;
}

std::filesystem::path find_program(std::string_view name) {
  std::error_code error;
  std::vector<std::filesystem::path> folders = {
      std::filesystem::read_symlink("/proc/self/exe", error).parent_path()};
  if (const char* path = std::getenv("PATH")) {
    std::istringstream list(path);
    for (std::string folder; std::getline(list, folder, ':');)
      folders.emplace_back(folder.empty() ? "." : folder);
  }
  for (const std::filesystem::path& folder : folders) {
    if (access((folder / name).c_str(), X_OK) == 0) return folder / name;
  }
  return {};
}

std::vector<std::string> missing_libraries(const std::filesystem::path& program) {
  // With this variable glibc's loader lists what it finds instead of running the program: `ldd`.
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return {};
  const pid_t child = fork();
  if (child == 0) {
    setenv("LD_TRACE_LOADED_OBJECTS", "1", 1);
    dup2(ends[1], STDOUT_FILENO);
    execl(program.c_str(), program.c_str(), nullptr);
    _exit(127);
  }
  close(ends[1]);
  std::vector<std::string> missing;
  std::FILE* list = fdopen(ends[0], "r");
  char line[4096];
  while (std::fgets(line, sizeof line, list) != nullptr) {
    const std::string_view text = line;
    if (text.find("=> not found") == std::string_view::npos) continue;
    const std::size_t begin = std::min(text.find_first_not_of(" \t"), text.size());
    missing.emplace_back(text.substr(begin, text.find(" =>") - begin));
  }
  std::fclose(list);
  if (child > 0) waitpid(child, nullptr, 0);
  return missing;
}

namespace {

/// Throws: system where a program lacks shared libraries; `advice` says what to do.
void require_libraries(const std::filesystem::path& program, std::string_view advice) {
  const std::vector<std::string> missing = missing_libraries(program);
  require(missing.empty(), Kind::system, "{}: expected the shared library {}, found none; {}",
          program.string(), fmt::join(missing, ", "), advice);
}

[[noreturn]] void become(const std::filesystem::path& program, char** argv) {
  execv(program.c_str(), argv);
  fail(Kind::system, "{}: expected to start, found: {}", program.string(), std::strerror(errno));
}

}  // namespace

void add_head(FlagSet& flags, std::string& head, std::string_view more) {
  flags.add(
      "--head", &head,
      fmt::format("one of the model's further heads by its name; without it its own{}", more));
}

void require_head(const Config& config, const std::filesystem::path& directory,
                  const std::string& head) {
  const std::vector<std::string> names = config.head_names();
  require(!names.empty(), Kind::usage,
          "{}: expected a model with a head, found an encoder; 'fnet embed' gives its vectors, "
          "'fnet finetune' a head",
          directory.string());
  require(config.has_head() || !head.empty(), Kind::usage,
          "head: expected one of '{}', for the model has none of its own, found none",
          fmt::join(names, "', '"));
}

void run_trainer(char** argv) {
  const std::filesystem::path trainer = find_program("fnet-train");
  require(!trainer.empty(), Kind::usage,
          "{}: expected the program fnet-train beside fnet or in PATH, found none: this is a lean "
          "install, which can do all but train; './dev build release' in fnet's sources makes both",
          argv[1]);
  require_libraries(trainer,
                    "put the folder of the libtorch that it was built with into LD_LIBRARY_PATH");
  // OpenMP's threads wait for each other by spinning for up to 15 ms, which a thread that another
  // program has pushed aside needs for itself; its library reads the limit only when it is loaded.
  if (std::getenv("OMP_WAIT_POLICY") == nullptr) {
    const int spins = spins_in(std::chrono::microseconds(10));
    setenv("GOMP_SPINCOUNT", std::to_string(spins).c_str(), 0);
  }
  become(trainer, argv);
}

void run_exporter(char** argv) {
  const std::filesystem::path exporter = find_program("fnet-export");
  require(!exporter.empty(), Kind::usage,
          "{}: expected the program fnet-export beside fnet or in PATH, found none; install "
          "libonnx-dev and libprotobuf-dev and build fnet again: './dev build release' does both",
          argv[1]);
  require_libraries(exporter, "install libonnx-dev and libprotobuf-dev");
  become(exporter, argv);
}

}  // namespace fnet::cli
