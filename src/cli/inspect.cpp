#include "runtime/inspect.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <nlohmann/json.hpp>

#include "cli/command.h"
#include "cli/common_flags.h"
#include "cli/inspect_page.h"
#include "cli/log.h"
#include "cli/output.h"
#include "core/error.h"
#include "core/file.h"
#include "tasks/task.h"

namespace fnet::cli {
namespace {

using nlohmann::ordered_json;

/// Tokens in the text's table, answers of a text.
constexpr std::size_t kTokens = 16, kAnswers = 3;
/// Bands of a line of energy, and the decibels from its lowest mark to its highest.
constexpr std::size_t kBands = 24;
constexpr double kDecibels = 16;

struct Flags {
  ModelFlags model;
  std::string text, pair;
  std::filesystem::path data, html;
  ReadOptions read;
  Columns columns;
  std::int64_t line = 1;
  InspectOptions options;
  bool json = false;
};

/// The words of a text, for a task that reads words.
std::vector<std::string> words_of(std::string_view text) {
  std::vector<std::string> words;
  constexpr std::string_view kSpace = " \t";
  for (std::size_t begin = 0; (begin = text.find_first_not_of(kSpace, begin)) != text.npos;) {
    const std::size_t end = std::min(text.find_first_of(kSpace, begin), text.size());
    words.emplace_back(text.substr(begin, end - begin));
    begin = end;
  }
  return words;
}

/// The example of --data at --line.
Example read_example(const Flags& flags, const Reading& reading) {
  ExampleReader reader(DataReader(flags.data, flags.read), reading);
  Example example;
  std::int64_t left = flags.line;
  while (left > 0 && reader.next(example)) --left;
  require(left == 0, Kind::input, "{}: expected at least {} records (--record), found {}",
          reader.name(), flags.line, flags.line - left);
  return example;
}

Example example_of(const Flags& flags, const Config& config) {
  const Task* task = config.has_head() ? &task_of(config.head("")) : nullptr;
  const Reading reading = task == nullptr ? read_texts_or_words(flags.columns, "a look inside")
                                          : task->reading(flags.columns, false);
  if (!flags.data.empty()) return read_example(flags, reading);
  std::string text = flags.text;
  if (text == "-") {
    LineReader lines("-");
    std::string_view line;
    require(lines.next(line), Kind::input, "{}: expected a line of text, found none", lines.name());
    text = line;
  }
  // As a record of a file would be read, so that the task's own rules hold.
  Record record;
  record.line = 1;
  if (task != nullptr && task->reads_words()) {
    record.fields.push_back({flags.columns.tokens, words_of(text)});
  } else {
    record.fields.push_back({flags.columns.text, text});
    if (!flags.pair.empty()) record.fields.push_back({flags.columns.text_pair, flags.pair});
  }
  return reading.read(record);
}

ordered_json answers_json(const Answer& answers) {
  auto units = ordered_json::array();
  for (const auto& unit : answers) {
    auto& list = units.emplace_back(ordered_json::array());
    for (const Prediction& p : unit) list.push_back({{"label", p.label}, {"score", p.score}});
  }
  return units;
}

ordered_json inspection_json(const Flags& flags, const Config& config, const Inspection& seen) {
  ordered_json all = {{"model", flags.model.directory.string()},
                      {"task", config.task},
                      {"texts", seen.texts},
                      {"replacement", seen.replacement},
                      {"span", seen.span},
                      {"answers", answers_json(seen.answers)},
                      {"frequencies", ordered_json::array()},
                      {"states", ordered_json::array()},
                      {"tokens", ordered_json::array()}};
  const std::size_t tokens = seen.tokens.size();
  for (std::size_t k = 0; k <= tokens / 2; ++k) {
    all["frequencies"].push_back(static_cast<double>(k) / static_cast<double>(tokens));
  }
  for (const StateView& state : seen.states) {
    all["states"].push_back({{"name", name_of(state, config)},
                             {"layer", state.layer},
                             {"norm", state.norm},
                             {"added", state.added},
                             {"mean_frequency", state.mean_frequency(tokens)},
                             {"energy", state.energy}});
  }
  for (const TokenView& token : seen.tokens) {
    ordered_json& one = all["tokens"].emplace_back();
    one = {{"id", token.id}, {"piece", token.piece}, {"replaced", token.replaced}};
    if (!token.replaced) continue;
    if (!seen.answers.empty()) one["answer"] = token.answer, one["flipped"] = token.flipped;
    one["vector"] = token.vector;
    one["layers"] = token.layers;
  }
  return all;
}

/// A mark for each band of frequencies above 0, the strongest the highest.
std::string energy_line(const std::vector<double>& energy) {
  std::vector<double> heights = decibels(energy, kBands);
  heights.erase(heights.begin());  // the constant part
  std::string line;
  for (const double height : heights) {
    const double share = 1 + (height - std::ranges::max(heights)) / kDecibels;
    const int mark = std::clamp(static_cast<int>(share * 8), 0, 7);
    line += "\xE2\x96";  // U+2581 to U+2588
    line += static_cast<char>(0x81 + mark);
  }
  return line;
}

std::string answers_text(const Answer& answers) {
  std::string text = "answer   ";
  const bool one = answers.size() == 1;
  std::size_t left = one ? kAnswers : kTokens;
  for (const auto& unit : answers) {
    for (const Prediction& p : unit) {
      if (left-- == 0) return text + " …\n";
      text += fmt::format(" {}{:.3f}", p.label.empty() ? "" : printable(p.label) + " ", p.score);
      if (!one) break;
    }
  }
  return text + "\n";
}

std::string tokens_text(const Inspection& seen) {
  const bool answered = !seen.answers.empty();
  const auto effect = [&](const TokenView* t) {
    return std::abs(answered ? t->answer : t->vector);
  };
  std::vector<const TokenView*> order;
  for (const TokenView& token : seen.tokens)
    if (token.replaced) order.push_back(&token);
  if (order.empty()) return "";
  std::ranges::stable_sort(order, std::ranges::greater(), effect);
  const double most = std::max(effect(order.front()), 1e-9);
  const std::size_t all = order.size();
  order.resize(std::min(all, kTokens));
  std::string text = fmt::format(
      "\nwhat a token changes: {} in the place of each{}\n{:16}  {}vector\n", seen.replacement,
      seen.span > 1 ? fmt::format(" {}", seen.span) : "", "token", answered ? "answer  " : "");
  for (const TokenView* token : order) {
    text += fmt::format("{:16}  ", printable(token->piece, 40));
    if (answered) text += fmt::format("{:+6.3f}  ", token->answer);
    text += fmt::format("{:6.4f}  ", token->vector);
    for (int i = 0; i < static_cast<int>(20 * effect(token) / most + 0.5); ++i) text += "█";
    text += '\n';
  }
  if (all > order.size()) text += fmt::format("… and {} more, in --json\n", all - order.size());
  return text;
}

std::string inspection_text(const Flags& flags, const Config& config, const Inspection& seen) {
  std::string text = fmt::format(
      "{}; {} tokens\n", summary_of(model_name(flags.model.directory), config), seen.tokens.size());
  if (!seen.answers.empty()) text += answers_text(seen.answers);
  text +=
      "\nstate               norm    adds  constant  frequency  energy from 0 to 0.5 cycles a "
      "token\n";
  for (const StateView& state : seen.states) {
    text += fmt::format("{:16}  {:6.2f}  {:>6}  {:6.1f} %  {:9.3f}  {}\n", name_of(state, config),
                        state.norm, state.added > 0 ? fmt::format("{:.2f}", state.added) : "",
                        100 * state.energy[0], state.mean_frequency(seen.tokens.size()),
                        energy_line(state.energy));
  }
  return text + tokens_text(seen);
}

void run(const Flags& flags) {
  require(flags.text.empty() != flags.data.empty(), Kind::usage,
          "TEXT: expected a text, or a file by --data, and not both");
  const Engine engine = flags.model.load();
  require(!engine.config().reads_numbers(), Kind::usage,
          "{}: expected a model that reads tokens, found input_type {}; 'fnet info --time' shows "
          "its parts",
          flags.model.directory.string(), engine.config().input_type);
  const Example example = example_of(flags, engine.config());
  const Inspection seen = inspect(engine, example, flags.options);
  if (seen.texts > 1) {
    log_warning("the model reads {} texts for this; what is shown is inside the first", seen.texts);
  }
  if (engine.config().wide_features > 0) {
    log_warning("the wide part of the head reads the words as they stand, whatever is replaced");
  }
  if (!flags.html.empty()) {
    write_file(flags.html,
               inspection_page(model_name(flags.model.directory), engine.config(), seen));
    log_info("{}: written", flags.html.string());
    if (!flags.json) return;
  }
  print(flags.json ? inspection_json(flags, engine.config(), seen).dump(2) + '\n'
                   : inspection_text(flags, engine.config(), seen));
  flush();
}

}  // namespace

Action declare_inspect(FlagSet& set) {
  const auto flags = std::make_shared<Flags>();
  flags->model.declare(set);
  set.add("TEXT", &flags->text, "the text to look at; -: a line of standard input");
  set.add("--text-pair", &flags->pair, "its pair, or the context of a question");
  set.add("--data", &flags->data, "in place of TEXT: a file with the text", {.without = {"TEXT"}});
  set.add("--record", &flags->line, "which of its records, from 1",
          {.range = Range{1, 1'000'000'000}});
  set.add("--span", &flags->options.span,
          "tokens that are replaced together; 0: one, of long texts more",
          {.range = Range{0, 1'000'000}});
  set.add("--html", &flags->html, "write one page that needs nothing else");
  set.add("--json", &flags->json, "one JSON object");
  add_data(set, flags->read, flags->columns);
  return [flags] { run(*flags); };
}

}  // namespace fnet::cli
