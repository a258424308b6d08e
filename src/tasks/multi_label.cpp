#include "tasks/multi_label.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <numeric>

#include "core/error.h"

namespace fnet {
namespace {

float sigmoid(float x) { return 1 / (1 + std::exp(-x)); }

class MultiLabelScorer final : public Scorer {
 public:
  MultiLabelScorer(const MultiLabelTask& task, const HeadConfig& head)
      : task_(task), head_(head), counts_(head.labels.size()) {}

  void add(const Example& example, const Sample& sample, std::span<const Matrix> scores) override {
    require(sample.values.size() == head_.labels.size(), Kind::usage,
            "scorer: expected a target for each of {} labels, found {}", head_.labels.size(),
            sample.values.size());
    const std::span<const float> row = row_of(scores, sample.units[0]);
    std::vector<std::string> truth, answer;
    float surest = 0;  // of what is wrong
    for (std::size_t c = 0; c < row.size(); ++c) {
      const bool real = sample.values[c] > 0.5F;
      const float probability = sigmoid(row[c]);
      const bool found = probability >= AnswerOptions().threshold;
      if (real) truth.push_back(head_.labels[c]);
      if (found) answer.push_back(head_.labels[c]);
      if (real != found) surest = std::max(surest, found ? probability : 1 - probability);
      counts_.add(c, real, found);
    }
    counts_.end_text();
    if (truth != answer) {
      mistakes_.add({example.line, task_.shown(example, 0),
                     fmt::format("{}", fmt::join(truth, ", ")),
                     fmt::format("{}", fmt::join(answer, ", ")), surest});
    }
  }

  Evaluation finish() override {
    Evaluation out;
    out.unit = task_.unit();
    const MultiLabelReport report = counts_.report(head_.labels);
    out.count = report.count;
    out.metrics = {{"micro_f1", report.micro_f1},
                   {"macro_f1", report.macro_f1},
                   {"subset_accuracy", report.subset_accuracy},
                   {"micro_precision", report.micro_precision},
                   {"micro_recall", report.micro_recall},
                   {"hamming_loss", report.hamming_loss}};
    out.labels = report.classes;
    out.worst = mistakes_.take();
    return out;
  }

 private:
  const MultiLabelTask& task_;
  HeadConfig head_;
  MultiLabelCounts counts_;
  WorstMistakes mistakes_;
};

}  // namespace

void MultiLabelTask::split(Example& example) {
  if (example.listed || example.truth.empty()) return;
  const std::string text = std::move(example.truth[0]);
  example.truth.clear();
  example.listed = true;
  constexpr std::string_view kSpace = " \t";
  if (text.find_first_not_of(kSpace) == std::string::npos) return;
  for (std::size_t begin = 0; begin <= text.size();) {
    const std::size_t comma = std::min(text.find(',', begin), text.size());
    const std::string_view part = std::string_view(text).substr(begin, comma - begin);
    const std::size_t first = part.find_first_not_of(kSpace);
    require(first != std::string_view::npos, Kind::input,
            "label: expected labels parted by commas, found an empty one in '{}'", printable(text));
    example.truth.emplace_back(part.substr(first, part.find_last_not_of(kSpace) + 1 - first));
    begin = comma + 1;
  }
}

std::vector<std::string> MultiLabelTask::metrics(std::span<const std::string>) const {
  return {"micro_f1", "macro_f1", "subset_accuracy"};
}

Reading MultiLabelTask::reading(const Columns& columns, bool labelled) const {
  if (!labelled) return TextClassificationTask::reading(columns, false);
  Reading reading = read_texts(columns, std::string(name()));
  reading.needs.push_back({{columns.label}});
  reading.read = [texts = reading.read, label = columns.label](const Record& record) {
    Example example = texts(record);
    const auto* list = std::get_if<std::vector<std::string>>(record.find(label));
    example.listed = list != nullptr;
    example.truth = example.listed ? *list : std::vector{record.label(label)};
    split(example);
    return example;
  };
  return reading;
}

std::vector<std::string> MultiLabelTask::labels(std::span<const Example> examples) const {
  std::vector<std::string> labels = labels_of(examples);
  require(!labels.empty(), Kind::input, "label: expected at least one label, found none");
  return labels;
}

Sample MultiLabelTask::encode(const Example& example, const Tokenizer& tokenizer,
                              const EncodeOptions& options, const HeadConfig& head) const {
  Sample sample = encode_bare(example, tokenizer, options);
  if (!example.listed) return sample;
  sample.values.assign(head.labels.size(), 0);
  for (const std::string& label : example.truth) {
    sample.values[static_cast<std::size_t>(class_of(label, head.labels))] = 1;
  }
  return sample;
}

Answer MultiLabelTask::answer(const Example&, const Sample& sample, std::span<const Matrix> scores,
                              const HeadConfig& head, const AnswerOptions& options) const {
  const std::span<const float> row = row_of(scores, sample.units.at(0));
  std::vector<std::size_t> order(row.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::stable_sort(order, std::ranges::greater(), [&](std::size_t i) { return row[i]; });
  Answer answer(1);
  for (const std::size_t i : order) {
    const float probability = sigmoid(row[i]);
    const bool more =
        options.top_k > 0 ? answer[0].size() < options.top_k : probability >= options.threshold;
    if (!more) break;
    answer[0].push_back({head.labels[i], probability});
  }
  return answer;
}

std::string MultiLabelTask::json(const Example& example, const Answer& answer) const {
  const auto none = nlohmann::ordered_json::array();
  nlohmann::ordered_json line = {{"line", example.line}, {"labels", none}, {"scores", none}};
  for (const Prediction& p : answer[0]) {
    line["labels"].push_back(p.label), line["scores"].push_back(rounded(p.score));
  }
  return line.dump() + '\n';
}

std::unique_ptr<Scorer> MultiLabelTask::scorer(const HeadConfig& head) const {
  return std::make_unique<MultiLabelScorer>(*this, head);
}

}  // namespace fnet
