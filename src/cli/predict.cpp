#include <algorithm>
#include <memory>

#include "cli/answers.h"
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
  std::size_t top_k = AnswerOptions().top_k;
  std::size_t max_answer_length = AnswerOptions().max_answer_length;
  double threshold = AnswerOptions().threshold, null_threshold = AnswerOptions().null_threshold;

  AnswerOptions answers() const {
    return {top_k, static_cast<float>(threshold), max_answer_length,
            static_cast<float>(null_threshold)};
  }
};

void run(const Flags& flags) {
  const Engine engine = flags.model.load();
  require(engine.config().has_head(), Kind::usage,
          "{}: expected a model with a head, found an encoder; 'fnet embed' gives its vectors, "
          "'fnet finetune' a head",
          flags.model.directory.string());
  const HeadConfig head = engine.config().head("");
  const Task& task = task_of(head);
  require(flags.top_k <= 1 || !task.reads_words(), Kind::usage,
          "top_k: expected 1 for a model that labels words, found {}", flags.top_k);
  print_answers(engine, flags.input, flags.answers(), flags.format);
}

}  // namespace

void print_answers(const Engine& engine, const InputFlags& input, AnswerOptions options,
                   const std::string& format) {
  const HeadConfig head = engine.config().head("");
  const Task& task = task_of(head);
  if (!engine.config().reads_numbers()) options.tokenizer = &engine.tokenizer();
  std::size_t cut_off = 0;
  const Reading reading = task.reading(input.columns_for(engine), false);
  input.for_each_batch(engine, reading, [&](std::span<const Example> batch) {
    const std::vector<Sample> samples = encode(engine, task, head, batch);
    std::string lines;  // nothing is printed before the whole batch has its answers
    for_each_scores(engine, samples, [&](std::size_t i, std::span<const Matrix> scores) {
      const Answer answer = task.answer(batch[i], samples[i], scores, head, options);
      cut_off += static_cast<std::size_t>(std::ranges::count(samples[i].units, -1));
      lines += format == "tsv" ? task.tsv(batch[i], answer) : task.json(batch[i], answer);
    });
    print(lines);
    flush();
  });
  if (cut_off > 0) {
    log_warning("{}: {} {} beyond the length that the model reads, without an answer",
                input.path.string(), cut_off, task.unit());
  }
}

Action declare_predict(FlagSet& set) {
  const auto flags = std::make_shared<Flags>();
  flags->model.declare(set);
  set.add("FILE", &flags->input.path, "texts to label; -: standard input, one a line");
  set.add("--format", &flags->format,
          "tsv: label, score, label, score …; a number; CoNLL columns from a tagger",
          {.words = {"tsv", "jsonl"}});
  set.add(
      "--top-k", &flags->top_k,
      "how many labels a text, or answers a question, best first; 0: one, or of several labels a "
      "text those from --threshold on",
      {.range = Range{0, 1000}});
  set.add("--threshold", &flags->threshold,
          "probability from which a text has a label, where it may have several",
          {.range = Range{0, 1}});
  set.add("--max-answer-length", &flags->max_answer_length, "tokens of an answer to a question",
          {.range = Range{1, 1'000'000}});
  set.add("--null-threshold", &flags->null_threshold,
          "a question has no answer where that scores more than so much better");
  flags->input.declare(set);
  return [flags] { run(*flags); };
}

}  // namespace fnet::cli
