// fnet-train: what `fnet pretrain`, `fnet distill`, `fnet finetune` and `fnet train-bench` start.
#include <malloc.h>  // NOLINT: mallopt
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>

#include "cli/common_flags.h"
#include "cli/log.h"
#include "cli/program.h"
#include "cli/train_commands.h"
#include "core/error.h"
#include "fnet/finetune.h"
#include "train/finetune_options.h"

namespace fnet::cli {
namespace {

struct Flags {
  bool recipes = false;
  double minutes = 10;
  std::filesystem::path config, task_config;
  FinetuneOptions options;
  ReadOptions read;
};

/// The command that goes on from the model in `out`.
std::string advice(const FinetuneOptions& o) {
  if (o.from == o.out) return "to go on from its weights, run the same command again";
  return fmt::format("to go on from its weights, run the same command with `--from {}{}`{}{}",
                     o.out.string(), o.overwrite ? "" : " --overwrite",
                     o.from.empty() ? "" : " in place of --from " + o.from.string(),
                     o.tokenizer.empty() ? "" : " and without --tokenizer");
}

TrainingReport best_recipe(const FinetuneOptions& options, double minutes,
                           const TrainingCallbacks& callbacks) {
  const AutoReport report = finetune_auto(options, minutes, callbacks);
  for (std::size_t i = 0; i < report.recipes.size(); ++i) {
    const AutoReport::Recipe& recipe = report.recipes[i];
    callbacks.log(fmt::format("{}: dev {} {:.4f} ({:.0f} s){}", recipe.name, report.training.metric,
                              recipe.best, recipe.seconds, i == report.kept ? "  kept" : ""));
  }
  return report.training;
}

/// What training starts from where no flag tells: the box, or a small new model.
void choose_start(FinetuneOptions& options) {
  if (!options.variant.empty()) return;
  options.variant = FinetuneOptions().variant;
  const bool new_model = !options.tokenizer.empty() || options.vocab_size != 0 ||
                         !options.set.empty() || !options.train_labels.empty();
  if (!options.from.empty() || new_model) return;
  options.from = suggested_start(options, [](std::string_view line) { log_info("{}", line); });
  if (!options.from.empty())
    log_info("model: the one in the box, {}; --variant tiny makes a new one",
             options.from.filename().string());
}

void finetune(const Flags& flags) {
  FinetuneOptions options = flags.options;
  options.input_format = flags.read.format;
  options.skip_bad_lines = flags.read.skip_bad_lines;
  if (!flags.task_config.empty()) load_tasks(flags.task_config, options);
  choose_start(options);
  TrainingWatch watch(TrainingWatch::Counts::epochs);
  const TrainingReport report = flags.recipes
                                    ? best_recipe(options, flags.minutes, watch.callbacks())
                                    : fnet::finetune(options, watch.callbacks());
  watch.clear();
  if (report.interrupted) {
    if (report.leads && !report.checkpoint && report.resumable) log_info("{}", advice(options));
    return watch.tell_stopped(report);
  }
  if (!report.leads) return;
  log_info("best: {}, dev {} {:.4f}; model and report.html in {}",
           *report.best_epoch > 0 ? fmt::format("epoch {}", *report.best_epoch)
                                  : "the model that training started from",
           report.metric, report.best, options.out.string());
}

Action declare_finetune(FlagSet& set) {
  const auto flags = std::make_shared<Flags>();
  FinetuneOptions& o = flags->options;
  o.variant.clear();
  std::vector<std::string> tasks = names_of(task_kinds());
  std::erase(tasks, "encoder");
  set.add("--config", &flags->config,
          "run.json of an earlier run: its options, where no other flag says otherwise",
          {.then = [flags] {
            flags->options = load_run(flags->config);
            flags->read.format = flags->options.input_format;
            flags->read.skip_bad_lines = flags->options.skip_bad_lines;
          }});
  set.add("--task", &o.task, "what the model learns", {.words = tasks, .other_words = true});
  add_problem_type(set, o.problem_type);
  set.add(
      "--task-config", &flags->task_config,
      "several tasks, each with a head, data and a loss of its own on one encoder: a JSON file, "
      "see docs/data-formats.md",
      {.without = {"--task", "--problem-type", "--train", "--dev"}});
  set.add(
      "--train", &o.train,
      "training data: TSV, CSV, JSONL, CoNLL, fastText's lines or NumPy's arrays, plain or gzip",
      {.required = true, .unless = {"--config", "--task-config"}});
  set.add("--dev", &o.dev,
          "data that selects the best epoch; without it a tenth of --train, chosen by --seed");
  set.add(
      "--train-labels", &o.train_labels,
      "of numbers: a file with the labels of --train, NumPy's, a table's column or a line each");
  set.add("--dev-labels", &o.dev_labels, "the same of --dev");
  set.add("--out", &o.out, "model directory to write",
          {.required = true, .letter = 'o', .unless = {"--config"}});
  set.add("--overwrite", &o.overwrite,
          "replace the model that --out holds, once there is a better one or training ends");
  set.add("--auto", &flags->recipes,
          "try a handful of recipes, as long as --minutes last, and keep the best on dev");
  set.add("--minutes", &flags->minutes, "time for the recipes of --auto, which it implies",
          {.range = Range{0, 100'000}, .then = [flags] { flags->recipes = true; }});
  set.group("Model");
  set.add("--from", &o.from, "model directory to start from; box: the one in the box",
          {.model = true});
  add_variant(
      set, o.variant,
      "size of a new model; without it and other flags of a new model, training starts from "
      "the model in the box, where the texts are English, else tiny",
      {"--from"});
  set.add(
      "--tokenizer", &o.tokenizer,
      "SentencePiece model, vocab.txt, tokenizer.json of BERT, or a directory; without it that of "
      "--from, or a new one is trained");
  set.add("--vocab-size", &o.vocab_size,
          "pieces of that tokenizer; 0: 16000, fewer for little text",
          {.range = Range{0, 1 << 20}, .without = {"--from", "--tokenizer"}});
  add_settings(set, o.set);
  set.add("--skip-mismatch", &o.skip_mismatch,
          "take the weights of --from that fit, leave out the others");
  set.add("--resize-positions", &o.resize_positions,
          "of the position table of --from for another max_position_embeddings",
          {.words = {"copy", "interpolate"}});
  set.add("--freeze", &o.freeze,
          "weights that do not learn, by name, its start, or a pattern: embeddings, "
          "encoder.layer.[0-5], *.LayerNorm.*",
          {.several = true});
  add_data(set, flags->read, o.columns);
  set.group("Training");
  add_options(set, o, [](auto&& option) { finetune_options(option); });
  set.add("--label-all-tokens", &o.label_all_tokens,
          "of token-classification: all tokens of a word learn its tag, not its first alone");
  set.add("--matryoshka-dims", &o.matryoshka_dims,
          "of sentence-similarity: so many first numbers of a vector learn to tell likeness alone: "
          "64,128",
          {.separator = ','});
  return [flags] { finetune(*flags); };
}

/// Each step takes the memory again that the one before freed. Were it given back in between, the
/// system would have to clear its pages anew: a quarter of a step in bfloat16. And it is to be in
/// huge pages, for what is read by columns: the heap is told so once, of half of the machine's
/// memory, none of which it takes by that.
void keep_freed_memory() {
#ifdef __GLIBC__
  mallopt(M_MMAP_MAX, 0);
  mallopt(M_TRIM_THRESHOLD, -1);  // never
  mallopt(M_TOP_PAD, 64 << 20);
  const auto bytes = static_cast<std::size_t>(sysconf(_SC_PHYS_PAGES)) / 2 *
                     static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  void* heap = std::malloc(bytes);
  if (heap == nullptr) return;
  constexpr std::uintptr_t kHugePage = 2 << 20;
  const auto begin = (reinterpret_cast<std::uintptr_t>(heap) / kHugePage + 1) * kHugePage;
  madvise(reinterpret_cast<void*>(begin), bytes - kHugePage, MADV_HUGEPAGE);
  std::free(heap);
#endif
}

constexpr std::array kCommands = {
    Command{"pretrain", "train a masked language model on texts without labels",
            "pretrain --variant tiny --train corpus.txt --out model --steps 1000",
            declare_pretrain},
    Command{"distill", "train a model to give texts the vectors of a teacher",
            "distill --variant small --tokenizer spiece.model --train texts.txt --out model",
            declare_distill},
    Command{"finetune", "train a model for a task on labelled texts",
            "finetune --task text-classification --train train.tsv --out model", declare_finetune},
    Command{"train-bench", "how fast a model learns here, and what the machine could do",
            "train-bench --variant tiny --batch 8 --length 64 --steps 5", declare_train_bench},
};

constexpr Program kProgram = {
    "fnet-train", "Train FNet models",
    "'fnet COMMAND' starts this program for its commands. FNET_THREADS, FNET_ISA and FNET_LOG\n"
    "stand in for the flags --threads, --isa and --log-level. Exit codes: 0 done, 1 failed, 2 "
    "wrong\n"
    "usage or bad input, 130 interrupted.",
    kCommands, "%H:%M:%S %v"};

}  // namespace
}  // namespace fnet::cli

int main(int argc, char** argv) {
  fnet::cli::keep_freed_memory();
  return fnet::cli::run_program(fnet::cli::kProgram, argc, argv);
}
