#include <memory>

#include "cli/answers.h"
#include "cli/command.h"
#include "core/error.h"

namespace fnet::cli {
namespace {

struct Flags {
  ModelFlags model;
  InputFlags input;
  std::string format = "jsonl";
  std::size_t top_k = 5;
};

void run(const Flags& flags) {
  const Engine engine = flags.model.load();
  require(engine.config().task == "fill-mask", Kind::usage,
          "{}: expected a masked language model (FNetForMaskedLM or FNetForPreTraining), found one "
          "for {}",
          flags.model.directory.string(), engine.config().task);
  print_answers(engine, flags.input, {.top_k = flags.top_k}, flags.format);
}

}  // namespace

Action declare_fill_mask(FlagSet& set) {
  const auto flags = std::make_shared<Flags>();
  flags->model.declare(set);
  set.add("FILE", &flags->input.path, "texts with [MASK]; -: standard input, one a line");
  set.add("--format", &flags->format, "one JSON object a text, or a line for each [MASK]",
          {.words = {"jsonl", "tsv"}});
  set.add("--top-k", &flags->top_k, "how many tokens for each [MASK], best first",
          {.range = Range{1, 1000}});
  flags->input.declare(set);
  return [flags] { run(*flags); };
}

}  // namespace fnet::cli
