#include "tasks/text_classification.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "model/input_rows.h"
#include "model/problem_type.h"
#include "tasks/multi_label.h"
#include "tasks/regression.h"

namespace fnet {

namespace {

const MultiLabelTask& multi_label(std::string_view name) {
  static const MultiLabelTask task(name);
  return task;
}

const RegressionTask& regression(std::string_view name) {
  static const RegressionTask task(name);
  return task;
}

}  // namespace

const Task& TextClassificationTask::for_head(const HeadConfig& head) const {
  const std::string_view problem = problem_type_of(head);
  if (problem == "multi_label_classification") return multi_label(name());
  if (problem == "regression") return regression(name());
  return *this;
}

const Task& TextClassificationTask::for_examples(std::span<Example> examples) const {
  if (std::ranges::any_of(examples, &Example::listed)) {
    for (Example& example : examples) MultiLabelTask::split(example);
    return multi_label(name());
  }
  const auto whole = [](const Example& example) {
    return example.truth[0].find_first_of(".eE") == std::string::npos;
  };
  const auto is_number = [](const Example& example) {
    return RegressionTask::number(example.truth[0]).has_value();
  };
  if (std::ranges::all_of(examples, is_number) && !std::ranges::all_of(examples, whole))
    return regression(name());
  return *this;
}

std::vector<std::string> TextClassificationTask::metrics(
    std::span<const std::string> labels) const {
  std::vector<std::string> names = LabellingTask::metrics(labels);
  if (!labels.empty()) return names;
  for (const Task* other : {static_cast<const Task*>(&multi_label(name())),
                            static_cast<const Task*>(&regression(name()))}) {
    for (const std::string& metric : other->metrics({})) {
      if (std::ranges::find(names, metric) == names.end()) names.push_back(metric);
    }
  }
  return names;
}

Reading TextClassificationTask::reading(const Columns& columns, bool labelled) const {
  Reading reading = read_texts(columns, std::string(name()));
  if (!labelled) return reading;
  reading.needs.push_back({{columns.label}});
  reading.read = [texts = reading.read, label = columns.label](const Record& record) {
    Example example = texts(record);
    if (const auto* list = std::get_if<std::vector<std::string>>(record.find(label))) {
      example.truth = *list;
      example.listed = true;
      return example;
    }
    example.truth = {record.label(label)};
    require(!example.truth[0].empty(), Kind::input, "{}: expected a label, found an empty field",
            label);
    return example;
  };
  return reading;
}

Sample TextClassificationTask::encode_input(const Example& example, const Tokenizer& tokenizer,
                                            const EncodeOptions& options) const {
  std::optional<std::string_view> pair;
  if (example.texts.size() > 1) pair = example.texts[1];
  Sample sample;
  sample.texts = options.numbers.numbers()
                     ? std::vector{encode_array(example.numbers, options)}
                     : tokenizer.encode_windows(example.texts.at(0), pair, options);
  sample.windows = sample.texts.size() > 1;
  sample.units = {0};
  return sample;
}

std::string TextClassificationTask::tsv(const Example&, const Answer& answer) const {
  std::string line;
  for (const Prediction& p : answer[0]) {
    fmt::format_to(std::back_inserter(line), "{}{}\t{:.6f}", line.empty() ? "" : "\t",
                   field(p.label), p.score);
  }
  return line + '\n';
}

std::string TextClassificationTask::json(const Example& example, const Answer& answer) const {
  const std::vector<Prediction>& best = answer[0];
  nlohmann::ordered_json line = {
      {"line", example.line}, {"label", best[0].label}, {"score", rounded(best[0].score)}};
  if (best.size() > 1) {
    for (const Prediction& p : best) {
      line["top_k"].push_back({{"label", p.label}, {"score", rounded(p.score)}});
    }
  }
  return line.dump() + '\n';
}

std::string TextClassificationTask::shown(const Example& example, std::size_t) const {
  if (!example.numbers.data.empty()) return fnet::shown(example.numbers);
  return example.texts.size() > 1 ? example.texts[0] + " ⁄ " + example.texts[1] : example.texts[0];
}

}  // namespace fnet
