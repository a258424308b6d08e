#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>
#include <utility>

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
  std::string format, head;
  std::size_t top_k = AnswerOptions().top_k;
  std::size_t max_answer_length = AnswerOptions().max_answer_length;
  double threshold = AnswerOptions().threshold, null_threshold = AnswerOptions().null_threshold;

  AnswerOptions answers() const {
    return {top_k, static_cast<float>(threshold), max_answer_length,
            static_cast<float>(null_threshold)};
  }
};

/// A head of a model, as it answers beside others.
struct Answering {
  std::string key, title;
  HeadConfig config;
  const Task* task;
  std::size_t cut_off = 0;

  Answering(const Config& model, std::string_view name)
      : key(name), title(model.head_title(name)), config(model.head(name)), task(&task_of(config)) {
    require(task->unit() == "texts" || task->unit() == "words", Kind::usage,
            "head: expected one for texts or words among all, found '{}', which is for {}: ask "
            "each by its name",
            title, task->unit());
  }
};

void warn_of_cut(const InputFlags& input, std::size_t count, const Task& task) {
  if (count == 0) return;
  log_warning("{}: {} {} beyond the length that the model reads, without an answer",
              input.path.string(), count, task.unit());
}

std::size_t count_cut(const Sample& sample) {
  return static_cast<std::size_t>(std::ranges::count(sample.units, -1));
}

/// Prints a line of JSON for each example, with what every head answers under its name.
void print_all_answers(const Engine& engine, const InputFlags& input, AnswerOptions options) {
  using nlohmann::ordered_json;
  options.tokenizer = &engine.tokenizer();
  const std::vector<std::string> names = engine.config().head_names();
  std::vector<Answering> heads;
  for (const std::string& name : names) heads.emplace_back(engine.config(), name);
  const Reading reading = read_texts_or_words(input.columns, "all heads");
  input.for_each_batch(engine, reading, [&](std::span<const Example> batch) {
    std::vector<std::vector<Example>> examples(heads.size());
    std::vector<std::vector<Sample>> samples;
    for (std::size_t h = 0; h < heads.size(); ++h) {
      for (const Example& example : batch)
        examples[h].push_back(heads[h].task->reads_words() ? with_words(example)
                                                           : with_text(example));
      samples.push_back(encode(engine, *heads[h].task, heads[h].config, examples[h]));
    }
    const auto scores = scores_of(engine, samples, names);
    std::string lines;
    for (std::size_t i = 0; i < batch.size(); ++i) {
      ordered_json line = {{"line", batch[i].line}};
      for (std::size_t h = 0; h < heads.size(); ++h) {
        Answering& head = heads[h];
        head.cut_off += count_cut(samples[h][i]);
        const AnswerOptions own = head.task->reads_words() ? AnswerOptions() : options;
        const Answer answer =
            head.task->answer(examples[h][i], samples[h][i], scores[h][i], head.config, own);
        ordered_json object = ordered_json::parse(head.task->json(examples[h][i], answer));
        object.erase("line");
        line[head.title] = std::move(object);
      }
      lines += line.dump() + '\n';
    }
    print(lines);
    flush();
  });
  for (const Answering& head : heads) warn_of_cut(input, head.cut_off, *head.task);
}

void run(const Flags& flags) {
  const Engine engine = flags.model.load();
  require_head(engine.config(), flags.model.directory, flags.head);
  if (flags.head == kAllHeads) {
    require(flags.format != "tsv", Kind::usage,
            "format: expected jsonl for all heads, found tsv: a line holds what each answers");
    return print_all_answers(engine, flags.input, flags.answers());
  }
  const Task& task = task_of(engine.config().head(flags.head));
  require(flags.top_k <= 1 || !task.reads_words(), Kind::usage,
          "top_k: expected 1 for a model that labels words, found {}", flags.top_k);
  print_answers(engine, flags.input, flags.answers(), flags.format.empty() ? "tsv" : flags.format,
                flags.head);
}

}  // namespace

void print_answers(const Engine& engine, const InputFlags& input, AnswerOptions options,
                   const std::string& format, const std::string& name) {
  const HeadConfig head = engine.config().head(name);
  const Task& task = task_of(head);
  if (!engine.config().reads_numbers()) options.tokenizer = &engine.tokenizer();
  std::size_t cut_off = 0;
  const Reading reading = task.reading(input.columns_for(engine), false);
  input.for_each_batch(engine, reading, [&](std::span<const Example> batch) {
    const std::vector<Sample> samples = encode(engine, task, head, batch);
    std::string lines;  // nothing is printed before the whole batch has its answers
    for_each_scores(
        engine, samples,
        [&](std::size_t i, std::span<const Matrix> scores) {
          const Answer answer = task.answer(batch[i], samples[i], scores, head, options);
          cut_off += count_cut(samples[i]);
          lines += format == "tsv" ? task.tsv(batch[i], answer) : task.json(batch[i], answer);
        },
        name);
    print(lines);
    flush();
  });
  warn_of_cut(input, cut_off, task);
}

Action declare_predict(FlagSet& set) {
  const auto flags = std::make_shared<Flags>();
  flags->model.declare(set);
  set.add("FILE", &flags->input.path, "texts to label; -: standard input, one a line");
  set.add(
      "--format", &flags->format,
      "tsv: label, score, label, score …; a number; CoNLL columns from a tagger. Without it tsv, "
      "of all heads jsonl",
      {.words = {"tsv", "jsonl"}});
  add_head(set, flags->head, "; all: every head, by one pass of the encoder");
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
