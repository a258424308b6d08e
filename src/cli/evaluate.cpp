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
  std::string head;
  bool json = false;
};

void run(const Flags& flags) {
  const Engine engine = flags.model.load();
  require_head(engine.config(), flags.model.directory, flags.head);
  const HeadConfig head = engine.config().head(flags.head);
  const Task& task = task_of(head);
  const auto scorer = task.scorer(head);
  const Reading reading = task.reading(flags.input.columns_for(engine), true);
  flags.input.for_each_batch(engine, reading, [&](std::span<const Example> batch) {
    const std::vector<Sample> samples = encode(engine, task, head, batch);
    const auto scores = scores_of(engine, samples, flags.head);
    for (std::size_t i = 0; i < batch.size(); ++i) scorer->add(batch[i], samples[i], scores[i]);
  });
  const Evaluation evaluation = scorer->finish();
  require(evaluation.count > 0, Kind::input, "{}: expected at least one example, found none",
          flags.input.path.string());
  if (evaluation.cut_off > 0) {
    log_warning("{}: {} {} beyond the length that the model reads, counted as wrong",
                flags.input.path.string(), evaluation.cut_off, evaluation.unit);
  }
  print(flags.json ? evaluation_json(evaluation) : evaluation_text(evaluation));
  flush();
}

}  // namespace

Action declare_evaluate(FlagSet& set) {
  const auto flags = std::make_shared<Flags>();
  flags->model.declare(set);
  set.add("FILE", &flags->input.path,
          "labelled texts, words with tags, or questions; -: standard input");
  set.add("--data", &flags->input.path, "the same as FILE", {.without = {"FILE"}});
  add_head(set, flags->head);
  set.add("--labels", &flags->input.options.labels,
          "of numbers: a file with their labels, NumPy's, a table's column or a line each");
  set.add("--json", &flags->json, "one JSON object instead of tables");
  flags->input.declare(set);
  return [flags] { run(*flags); };
}

}  // namespace fnet::cli
