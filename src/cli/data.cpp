#include <fmt/ranges.h>

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>

#include "cli/command.h"
#include "cli/common_flags.h"
#include "cli/output.h"
#include "core/error.h"
#include "tasks/data_check.h"
#include "tasks/task.h"

namespace fnet::cli {
namespace {

using nlohmann::ordered_json;

constexpr std::size_t kFewExamples = 10;     // of a class: too few to learn it from
constexpr std::size_t kLearnedFrom = 20000;  // texts that a tokenizer is learned from
constexpr std::size_t kShownLabels = 40;

struct Flags {
  std::filesystem::path file, dev, tokenizer;
  std::string task = "auto", problem_type;
  std::size_t max_length = 0;
  bool json = false;
  ReadOptions read;
  Columns columns;
};

struct Read {
  std::vector<Example> examples;
  std::size_t bad_lines = 0;
  std::string first_bad;  // its message
};

std::string task_name(const Flags& flags) {
  if (flags.task != "auto") return flags.task;
  const bool words = data_format(flags.file, flags.read.format) == "conll";
  return words ? "token-classification" : "text-classification";
}

/// All examples of a file. Where there are bad lines, the first one's error and how many they are.
Read read(const std::filesystem::path& path, const Task& task, const Flags& flags) {
  Read out;
  const auto all = [&](bool skip) {
    ReadOptions options = flags.read;
    options.skip_bad_lines = skip;
    ExampleReader reader(DataReader(path, options), task.reading(flags.columns, true));
    out.examples.clear();
    for (Example example; reader.next(example);) out.examples.push_back(std::move(example));
    out.bad_lines = reader.skipped();
  };
  try {
    all(flags.read.skip_bad_lines);
  } catch (const Error& error) {
    if (error.kind() != Kind::input || path == "-") throw;
    out.first_bad = error.what();
    all(true);
    if (out.bad_lines == 0) throw;
  }
  require(!out.examples.empty(), Kind::input, "{}: expected at least one example, found none{}",
          path.string(), out.first_bad.empty() ? "" : "; " + out.first_bad);
  return out;
}

struct Tokens {
  Spread spread;
  std::size_t limit = 0, longer = 0;
};

Tokens count_tokens(const Flags& flags, const Task& task, const Tokenizer& tokenizer,
                    const std::vector<Example>& examples) {
  Tokens out;
  const auto trained = static_cast<std::size_t>(tokenizer.config().model_max_length);
  out.limit = flags.max_length > 0 ? flags.max_length : trained > 0 ? trained : 512;
  std::vector<std::size_t> counts;
  EncodeOptions options;
  options.max_bytes = flags.read.max_bytes;
  for (const Example& example : examples) {
    Example bare = example;
    bare.truth.clear(), bare.places.clear(), bare.listed = false;
    counts.push_back(0);
    for (const Encoding& text : task.encode(bare, tokenizer, options, {}).texts)
      counts.back() = std::max(counts.back(), text.input_ids.size());
    out.longer += counts.back() > out.limit;
  }
  out.spread = Spread(std::move(counts));
  return out;
}

ordered_json spread_json(const Spread& s) {
  return {{"min", s.least}, {"median", s.median}, {"p95", s.p95}, {"max", s.most}};
}

ordered_json found_json(const DataCheck::Found& found) {
  ordered_json some = ordered_json::array();
  for (const DataCheck::Same& same : found.some)
    some.push_back({{"first", same.first}, {"second", same.second}, {"text", same.text}});
  return {{"count", found.count}, {"some", some}};
}

/// What a reader should do something about, a line each.
std::vector<std::string> findings(const Flags& flags, const Task& task, const Read& train,
                                  const Read& dev, const DataCheck& check, const Tokens& tokens) {
  const bool classes = task.has_classes();
  std::vector<std::string> out;
  const auto add = [&](std::string text) { out.push_back(std::move(text)); };
  for (const Read* file : {&train, &dev}) {
    if (!file->first_bad.empty())
      add(fmt::format("{} bad lines, the first: {}", file->bad_lines, file->first_bad));
    else if (file->bad_lines > 0)
      add(fmt::format("{} bad lines", file->bad_lines));
  }
  const auto lines = [](const std::vector<std::size_t>& all) {
    const std::span<const std::size_t> some(all.data(), std::min<std::size_t>(all.size(), 5));
    return fmt::format("{}{}", fmt::join(some, ", "), all.size() > some.size() ? ", …" : "");
  };
  if (!check.empty.empty())
    add(fmt::format("{} empty texts: line {}", check.empty.size(), lines(check.empty)));
  const auto found = [&](const DataCheck::Found& f, std::string_view what, std::string_view where) {
    if (f.count == 0) return;
    const DataCheck::Same& same = f.some[0];
    add(fmt::format("{} {}: line {} and {} {}: {}", f.count, what, same.first, where, same.second,
                    printable(same.text, 60)));
  };
  found(check.conflicts, "texts again with other labels", "line");
  found(check.duplicates, "texts again with the same labels", "line");
  found(check.shared, "texts of dev stand in the training data", "dev line");
  if (check.labels.size() < 2 && classes)
    add(fmt::format("{} label: a task needs two", check.labels.size()));
  std::vector<std::string> few;
  for (const auto& [label, count] : check.labels)
    if (classes && count < kFewExamples)
      few.push_back(fmt::format("{} ({})", printable(label, 40), count));
  if (!few.empty()) {
    const std::size_t all = few.size();
    few.resize(std::min<std::size_t>(all, 5));
    add(fmt::format("{} labels with fewer than {} examples: {}{}", all, kFewExamples,
                    fmt::join(few, ", "), all > few.size() ? ", …" : ""));
  }
  const auto names = [&](std::vector<std::string> labels, std::string_view what) {
    if (labels.empty()) return;
    const std::size_t all = labels.size();
    labels.resize(std::min<std::size_t>(all, 5));
    for (std::string& label : labels) label = printable(label, 40);
    add(fmt::format("{} labels {}: {}{}", all, what, fmt::join(labels, ", "),
                    all > labels.size() ? ", …" : ""));
  };
  if (classes) {
    names(check.dev_only, "of dev that the training data lack");
    names(check.missing_in_dev, "that dev lacks");
  }
  if (tokens.longer > 0 && !task.reads_windows()) {
    add(fmt::format("{} of {} examples have more than {} tokens and would be cut{}", tokens.longer,
                    check.examples, tokens.limit,
                    flags.max_length > 0 ? "" : "; --max-length says another limit"));
  }
  return out;
}

std::string table(const DataCheck& check, const Tokens& tokens, const Task& task) {
  std::string text = fmt::format("examples   {}\n", check.examples);
  if (task.reads_words()) text += fmt::format("words      {}\n", check.units);
  if (check.dev_examples > 0) text += fmt::format("dev        {}\n", check.dev_examples);
  text += fmt::format("\n{:12} {:>9} {:>9} {:>9} {:>9}\n", "an example", "shortest", "median",
                      "95 %", "longest");
  const auto row = [&](const char* name, const Spread& s) {
    text += fmt::format("{:12} {:>9} {:>9} {:>9} {:>9}\n", name, s.least, s.median, s.p95, s.most);
  };
  row("bytes", check.bytes), row("words", check.words), row("tokens", tokens.spread);

  if (!task.has_classes()) return text;
  std::vector<std::pair<std::size_t, std::string>> labels;
  std::size_t width = 5;
  for (const auto& [label, count] : check.labels) labels.emplace_back(count, label);
  std::ranges::stable_sort(labels, std::greater<>(), &std::pair<std::size_t, std::string>::first);
  const std::size_t shown = std::min(labels.size(), kShownLabels);
  for (std::size_t i = 0; i < shown; ++i)
    width = std::max(width, std::min<std::size_t>(field(labels[i].second).size(), 40));
  text += fmt::format("\n{:{}} {:>9}   share\n", "label", width, "count");
  for (std::size_t i = 0; i < shown; ++i) {
    const double share = static_cast<double>(labels[i].first) /
                         static_cast<double>(std::max<std::size_t>(1, check.units));
    text += fmt::format("{:{}} {:>9}  {:6.4f}\n", field(labels[i].second), width, labels[i].first,
                        share);
  }
  if (labels.size() > shown) text += fmt::format("… and {} more\n", labels.size() - shown);
  return text;
}

void run(const Flags& flags) {
  const HeadConfig asked = head_for_task(task_name(flags), flags.problem_type);
  const Task& named = task_of(asked);
  Read train = read(flags.file, named, flags);
  const Task& task = asked.problem_type.empty() ? named.for_examples(train.examples) : named;
  const Read dev = flags.dev.empty() ? Read() : read(flags.dev, task, flags);
  const DataCheck check = check_data(train.examples, dev.examples);
  const std::span<const Example> some(train.examples.data(),
                                      std::min(train.examples.size(), kLearnedFrom));
  const Tokenizer tokenizer =
      flags.tokenizer.empty() ? learn_tokenizer(some) : load_tokenizer(flags.tokenizer);
  const Tokens tokens = count_tokens(flags, task, tokenizer, train.examples);
  const std::vector<std::string> notes = findings(flags, task, train, dev, check, tokens);
  if (flags.json) {
    ordered_json tokens_json = spread_json(tokens.spread);
    tokens_json["limit"] = tokens.limit;
    tokens_json["longer"] = tokens.longer;
    const ordered_json all = {
        {"task", task.name()},
        {"examples", check.examples},
        {"units", check.units},
        {"bad_lines", train.bad_lines + dev.bad_lines},
        {"labels", task.has_classes() ? ordered_json(check.labels) : ordered_json::object()},
        {"bytes", spread_json(check.bytes)},
        {"words", spread_json(check.words)},
        {"tokens", tokens_json},
        {"empty", check.empty},
        {"duplicates", found_json(check.duplicates)},
        {"conflicts", found_json(check.conflicts)},
        {"dev_examples", check.dev_examples},
        {"shared", found_json(check.shared)},
        {"dev_only_labels", check.dev_only},
        {"labels_missing_in_dev", check.missing_in_dev},
        {"findings", notes}};
    print(all.dump(2) + '\n');
  } else {
    print(table(check, tokens, task));
    print(notes.empty() ? "\nnothing to mend was found\n" : "\nto look at\n");
    for (const std::string& note : notes) print(fmt::format("  {}\n", note));
  }
  flush();
}

}  // namespace

Action declare_data_check(FlagSet& set) {
  const auto flags = std::make_shared<Flags>();
  std::vector<std::string> tasks = names_of(task_kinds());
  std::ranges::replace(tasks, "encoder", "auto");
  set.add("FILE", &flags->file, "labelled texts, or words with tags; -: standard input",
          {.required = true});
  set.add("--dev", &flags->dev, "dev data, to compare with");
  set.add("--task", &flags->task, "what the data are for; auto: tags of words for CoNLL",
          {.words = tasks, .other_words = true});
  add_problem_type(set, flags->problem_type);
  set.add(
      "--tokenizer", &flags->tokenizer,
      "SentencePiece model, vocab.txt, tokenizer.json of BERT, or a directory, to count tokens by; "
      "without it one is learned");
  set.add("--max-length", &flags->max_length,
          "tokens of a text that a model would read; 0: as the tokenizer's, or 512");
  set.add("--json", &flags->json, "one JSON object instead of tables");
  add_data(set, flags->read, flags->columns);
  return [flags] { run(*flags); };
}

}  // namespace fnet::cli
