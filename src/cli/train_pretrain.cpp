#include <memory>
#include <string>

#include "cli/common_flags.h"
#include "cli/log.h"
#include "cli/train_commands.h"
#include "core/error.h"
#include "train/pretrain_options.h"

namespace fnet::cli {
namespace {

void run(const PretrainOptions& options) {
  TrainingWatch watch(TrainingWatch::Counts::steps);
  const TrainingReport report = fnet::pretrain(options, watch.callbacks());
  watch.clear();
  if (report.interrupted) return watch.tell_stopped(report);
  if (!report.leads) return;
  std::int64_t step = 0;
  for (const EpochReport& epoch : report.epochs)
    if (epoch.epoch == *report.best_epoch) step = epoch.step;
  log_info("best: {}, dev {} {:.4f}; model and report.html in {}",
           step > 0 ? fmt::format("step {}", step) : "the model that training started from",
           report.metric, report.best, options.out.string());
}

}  // namespace

Action declare_pretrain(FlagSet& set) {
  const auto options = std::make_shared<PretrainOptions>();
  PretrainOptions& o = *options;
  set.add("--train", &o.train,
          "texts without labels: files and directories of plain text or JSON lines, plain or gzip",
          {.required = true, .several = true});
  set.add("--dev", &o.dev,
          "texts for the evaluations; without them a hundredth of the documents of --train",
          {.several = true});
  set.add("--out", &o.out, "model directory to write", {.required = true, .letter = 'o'});
  set.add("--overwrite", &o.overwrite,
          "replace the model that --out holds, once there is a new one");
  set.group("Model");
  set.add("--from", &o.from, "model directory to start from");
  add_variant(set, o.variant, "size of a new model", {"--from"});
  set.add("--tokenizer", &o.tokenizer,
          "SentencePiece model; without it that of --from, or a new one is trained");
  set.add("--vocab-size", &o.vocab_size,
          "pieces of that tokenizer; 0: 32000, fewer for little text",
          {.range = Range{0, 1 << 20}, .without = {"--from", "--tokenizer"}});
  add_settings(set, o.set);
  set.group("Corpus");
  set.add("--documents", &o.documents,
          "what is one in plain text: paragraphs end at an empty line; a record of JSON lines is "
          "one",
          {.words = {"paragraph", "line", "file"}});
  set.add("--input-format", &o.input_format,
          "format of the texts; without it jsonl for names in .jsonl and .ndjson, else text",
          {.words = {"text", "jsonl"}, .option = "format"});
  set.add("--text-column", &o.text_column, "name of the texts' key in JSON lines",
          {.option = "column"});
  set.add("--skip-bad-lines", &o.skip_bad_lines, "count bad lines instead of stopping");
  set.add("--cache", &o.cache,
          "directory for the texts' tokens; without it $XDG_CACHE_HOME/fnet or ~/.cache/fnet");
  set.add("--no-cache", &o.no_cache, "remove the tokens when the run ends");
  set.group("Training");
  add_options(set, o, [](auto&& option) { pretrain_options(option); });
  return [options] { run(*options); };
}

}  // namespace fnet::cli
