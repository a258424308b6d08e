#include "tasks/text_classification.h"

#include <nlohmann/json.hpp>

#include "core/error.h"

namespace fnet {

Reading TextClassificationTask::reading(const Columns& columns, bool labelled) const {
  Reading reading = read_texts(columns, std::string(name()));
  if (!labelled) return reading;
  reading.needs.push_back({{columns.label}});
  reading.read = [texts = reading.read, label = columns.label](const Record& record) {
    Example example = texts(record);
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
  sample.texts.push_back(tokenizer.encode(example.texts.at(0), pair, options));
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
  return example.texts.size() > 1 ? example.texts[0] + " ⁄ " + example.texts[1] : example.texts[0];
}

}  // namespace fnet
