#include "tasks/multiple_choice.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>

#include "core/error.h"
#include "core/numbers.h"
#include "tasks/labelling.h"

namespace fnet {
namespace {

using Names = std::vector<std::string>;

/// The fields of a record by their names, the usual ones behind the columns'.
struct Fields {
  Names first, lead, choices, label;

  explicit Fields(const Columns& columns)
      : first{columns.text, "context", "article",  "sent1",        "ctx",
              "premise",    "goal",    "question", "question_stem"},
        lead{columns.text_pair, "question", "question_stem", "sent2"},
        choices{"choices.text", "choices", "endings", "options"},
        label{columns.label, "answerKey", "answer"} {}
};

/// What a choice's field begins with where each has its own, and the number of the first.
constexpr std::pair<std::string_view, int> kNumbered[] = {{"ending", 0}, {"choice", 1}, {"sol", 1}};

std::string numbered(std::string_view start, std::size_t number) {
  return fmt::format("{}{}", start, number);
}

Names choices_of(const Record& record, const Names& lists) {
  if (const std::string list = name_in(record, lists); !list.empty()) return record.list(list);
  Names choices;
  for (const auto& [start, first] : kNumbered) {
    for (auto n = static_cast<std::size_t>(first); record.find(numbered(start, n)) != nullptr; ++n)
      choices.push_back(record.text(numbered(start, n)));
    if (!choices.empty()) break;
  }
  return choices;
}

/// The place of the right choice: by the choices' own keys where the record has them, else its
/// number from 0, its letter, or its text.
std::size_t right_choice(const Record& record, const std::string& name, const Names& choices) {
  const std::string& value = record.label(name);
  const auto place = [&](const Names& names) -> std::optional<std::size_t> {
    const auto found = std::ranges::find(names, value);
    if (found == names.end()) return {};
    return static_cast<std::size_t>(found - names.begin());
  };
  std::optional<std::size_t> right;
  if (record.find("choices.label") != nullptr) right = place(record.list("choices.label"));
  if (!right) right = to_number<std::size_t>(value);
  if (!right && value.size() == 1 && value[0] >= 'A' && value[0] <= 'Z')
    right = static_cast<std::size_t>(value[0] - 'A');
  if (!right) right = place(choices);
  require(right && *right < choices.size(), Kind::input,
          "{}: expected one of {} choices, its number from 0, its letter or its text, found '{}'",
          name, choices.size(), printable(value));
  return *right;
}

Example read_example(const Record& record, const Fields& fields, bool labelled) {
  Example example;
  example.line = record.line;
  if (record.find("id") != nullptr) example.id = record.label("id");
  const std::string first = name_in(record, fields.first);
  example.texts = {record.text(first)};
  // What stands between the first text and each choice.
  Names others = fields.lead;
  std::erase(others, first);
  std::string lead = name_in(record, others);
  if (!lead.empty()) lead = record.text(lead) + ' ';
  const Names choices = choices_of(record, fields.choices);
  require(choices.size() >= 2, Kind::input, "choices: expected at least two, found {}",
          choices.size());
  for (const std::string& choice : choices) example.texts.push_back(lead + choice);
  if (labelled) {
    const std::string name = name_in(record, fields.label);
    example.truth = {std::to_string(right_choice(record, name, choices))};
  }
  return example;
}

/// The number of a choice as it stands in an answer or a truth. Throws: input.
std::size_t number_of(const std::string& text, std::size_t choices) {
  const auto number = to_number<std::size_t>(text);
  require(number && *number < choices, Kind::input, "label: expected 0 to {}, found '{}'",
          choices - 1, printable(text));
  return *number;
}

class ChoiceScorer final : public Scorer {
 public:
  ChoiceScorer(const Task& task, HeadConfig head) : task_(task), head_(std::move(head)) {}

  void add(const Example& example, const Sample& sample, std::span<const Matrix> scores) override {
    require(sample.targets.size() == 1, Kind::usage, "scorer: expected one target, found {}",
            sample.targets.size());
    const Prediction best = task_.answer(example, sample, scores, head_)[0].at(0);
    const auto right = static_cast<std::size_t>(sample.targets[0]);
    const std::size_t found = number_of(best.label, sample.texts.size());
    ++count_;
    correct_ += found == right;
    if (found != right)
      mistakes_.add({example.line, example.texts.at(0), example.texts.at(right + 1),
                     example.texts.at(found + 1), best.score});
  }

  Evaluation finish() override {
    Evaluation out;
    out.unit = task_.unit();
    out.count = count_;
    const auto correct = static_cast<double>(correct_), count = static_cast<double>(count_);
    out.metrics = {{"accuracy", count_ > 0 ? correct / count : 0}};
    out.worst = mistakes_.take();
    return out;
  }

 private:
  const Task& task_;
  HeadConfig head_;
  std::size_t count_ = 0, correct_ = 0;
  WorstMistakes mistakes_;
};

}  // namespace

std::vector<std::string> MultipleChoiceTask::metrics(std::span<const std::string>) const {
  return {"accuracy"};
}

Reading MultipleChoiceTask::reading(const Columns& columns, bool labelled) const {
  const Fields fields(columns);
  Reading reading;
  reading.purpose = name();
  Names choices = fields.choices;
  for (const auto& [start, first] : kNumbered)
    choices.push_back(numbered(start, static_cast<std::size_t>(first)));
  reading.needs = {{fields.first}, {std::move(choices)}};
  if (labelled) reading.needs.push_back({fields.label});
  reading.read = [fields, labelled](const Record& record) {
    return read_example(record, fields, labelled);
  };
  return reading;
}

std::vector<std::string> MultipleChoiceTask::labels(std::span<const Example>) const {
  return {"LABEL_0", "LABEL_1"};  // what transformers' config has, for no use
}

Sample MultipleChoiceTask::encode(const Example& example, const Tokenizer& tokenizer,
                                  const EncodeOptions& options, const HeadConfig&) const {
  Sample sample;
  const std::size_t choices = example.texts.size() - 1;
  for (std::size_t i = 1; i <= choices; ++i) {
    sample.texts.push_back(without_places(
        tokenizer.encode(example.texts[0], std::string_view(example.texts[i]), options)));
  }
  sample.units = {0};
  if (!example.truth.empty())
    sample.targets = {static_cast<std::int32_t>(number_of(example.truth[0], choices))};
  return sample;
}

Answer MultipleChoiceTask::answer(const Example&, const Sample&, std::span<const Matrix> scores,
                                  const HeadConfig&, const AnswerOptions& options) const {
  std::vector<float> all;
  for (const Matrix& score : scores) all.push_back(score.row(0)[0]);
  Answer answer(1);
  for (const Choice& choice : best_classes(all, std::max<std::size_t>(1, options.top_k)))
    answer[0].push_back({std::to_string(choice.label), choice.score});
  return answer;
}

std::string MultipleChoiceTask::tsv(const Example&, const Answer& answer) const {
  std::string line;
  for (const Prediction& p : answer[0]) {
    fmt::format_to(std::back_inserter(line), "{}{}\t{:.6f}", line.empty() ? "" : "\t", p.label,
                   p.score);
  }
  return line + '\n';
}

std::string MultipleChoiceTask::json(const Example& example, const Answer& answer) const {
  const auto put = [&](const Prediction& p) -> nlohmann::ordered_json {
    const std::size_t number = number_of(p.label, example.texts.size() - 1);
    return {{"label", number}, {"choice", example.texts[number + 1]}, {"score", rounded(p.score)}};
  };
  nlohmann::ordered_json line = {{"line", example.line}};
  if (!example.id.empty()) line["id"] = example.id;
  line.update(put(answer[0][0]));
  if (answer[0].size() > 1) {
    for (const Prediction& p : answer[0]) line["top_k"].push_back(put(p));
  }
  return line.dump() + '\n';
}

std::unique_ptr<Scorer> MultipleChoiceTask::scorer(const HeadConfig& head) const {
  return std::make_unique<ChoiceScorer>(*this, head);
}

}  // namespace fnet
