#include <algorithm>
#include <memory>

#include "cli/command.h"
#include "cli/log.h"
#include "cli/output.h"
#include "cli/stream.h"
#include "core/error.h"
#include "runtime/samples.h"
#include "tasks/task.h"

namespace fnet::cli {
namespace {

struct Flags {
  ModelFlags model;
  InputFlags input;
  std::string format = "tsv";
  std::size_t top_k = 1;
};

void run(const Flags& flags) {
  const Engine engine = flags.model.load();
  require(engine.config().has_head(), Kind::usage,
          "{}: expected a model with a head, found an encoder; 'fnet embed' gives its vectors, "
          "'fnet finetune' a head",
          flags.model.directory.string());
  const Task& task = find_task(engine.config().task);
  require(flags.top_k == 1 || !task.reads_words(), Kind::usage,
          "top_k: expected 1 for a model that labels words, found {}", flags.top_k);
  const Reading reading = task.reading(flags.input.columns, false);
  std::size_t cut_off = 0;
  flags.input.for_each_batch(engine, reading, [&](std::span<const Example> batch) {
    const std::vector<Sample> samples = encode(engine, task, batch);
    const auto scores = scores_of(engine, samples);
    for (std::size_t i = 0; i < batch.size(); ++i) {
      const Answer answer = task.answer(scores[i], samples[i], engine.config().labels, flags.top_k);
      cut_off += static_cast<std::size_t>(
          std::ranges::count_if(answer, [](const auto& best) { return best.empty(); }));
      print(flags.format == "tsv" ? task.tsv(batch[i], answer) : task.json(batch[i], answer));
    }
    flush();
  });
  if (cut_off > 0) {
    log_warning("{}: {} words beyond the length that the model reads, without an answer",
                flags.input.path.string(), cut_off);
  }
}

}  // namespace

Action declare_predict(FlagSet& set) {
  const auto flags = std::make_shared<Flags>();
  flags->model.declare(set);
  set.add("FILE", &flags->input.path, "texts to label; -: standard input, one a line");
  set.add("--format", &flags->format,
          "tsv: label, score, label, score …, or CoNLL columns from a tagger",
          {.words = {"tsv", "jsonl"}});
  set.add("--top-k", &flags->top_k, "how many labels a text, best first",
          {.range = Range{1, 1000}});
  flags->input.declare(set);
  return [flags] { run(*flags); };
}

}  // namespace fnet::cli
