#pragma once

#include <filesystem>

#include "cli/program.h"
#include "fnet/engine.h"
#include "fnet/similarity.h"

namespace fnet::cli {

// The commands of fnet: each adds its flags and returns what runs. One file each.
Action declare_init(FlagSet& flags);
Action declare_tokenizer_train(FlagSet& flags);
Action declare_tokenizer_encode(FlagSet& flags);
Action declare_tokenizer_decode(FlagSet& flags);
Action declare_tokenizer_compare(FlagSet& flags);
Action declare_doctor(FlagSet& flags);
Action declare_data_check(FlagSet& flags);
Action declare_evaluate(FlagSet& flags);
Action declare_predict(FlagSet& flags);
Action declare_embed(FlagSet& flags);
Action declare_similarity(FlagSet& flags);
Action declare_search(FlagSet& flags);
Action declare_fill_mask(FlagSet& flags);
Action declare_info(FlagSet& flags);
Action declare_inspect(FlagSet& flags);
Action declare_compare(FlagSet& flags);
Action declare_quantize(FlagSet& flags);
Action declare_bench(FlagSet& flags);

/// Where fnet-train or fnet-export is: beside this program, else in PATH; empty where it is not
/// installed.
std::filesystem::path find_program(std::string_view name);

/// The shared libraries that a program needs and the dynamic loader doesn't find.
std::vector<std::string> missing_libraries(const std::filesystem::path& program);

/// Becomes fnet-train with the same arguments. Throws: usage where there is none.
void run_trainer(char** argv);

/// Becomes fnet-export likewise.
void run_exporter(char** argv);

/// Makes a new directory as a whole: `write` fills one beside it that then gets its name, so
/// nothing is in the way of the next try after an interruption. Throws: input where it has files
/// already, system.
void write_new_directory(const std::filesystem::path& directory,
                         const std::function<void(const std::filesystem::path&)>& write);

/// What a model is called: the last part of its directory's path.
std::string model_name(const std::filesystem::path& directory);

/// The tokenizer of a directory or file; what it warns of goes to the log.
Tokenizer load_tokenizer(const std::filesystem::path& path);

/// --head, and what stands there for every head.
void add_head(FlagSet& flags, std::string& head, std::string_view more = {});
inline constexpr std::string_view kAllHeads = "all";

/// Throws: usage where a model has no head of this name, with what to do.
void require_head(const Config& config, const std::filesystem::path& directory,
                  const std::string& head);

/// --similarity
void add_similarity(FlagSet& flags, std::string& similarity);

/// --dtype
void add_dtype(FlagSet& flags, std::string& dtype);

/// The flags of a command that runs a model.
struct ModelFlags {
  std::filesystem::path directory;
  EngineOptions options;
  std::string truncation = "longest_first";  ///< in place of that of the options

  void declare(FlagSet& flags);

  /// The engine; what it noticed while loading goes to the log.
  Engine load() const;
};

}  // namespace fnet::cli
