#include "tasks/token_classification.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/error.h"

namespace fnet {

std::vector<std::string> TokenClassificationTask::metrics(
    std::span<const std::string> labels) const {
  std::vector<std::string> names = LabellingTask::metrics(labels);
  if (labels.empty()) names.emplace_back("entity_f1");
  if (marks_entities(labels)) names.insert(names.begin(), "entity_f1");
  return names;
}

Reading TokenClassificationTask::reading(const Columns& columns, bool labelled) const {
  Reading reading;
  reading.purpose = name();
  if (!labelled) {
    reading.needs = {{{columns.tokens, columns.text}}};
    reading.read = [columns](const Record& record) {
      Example example;
      example.line = record.line;
      example.words = record.find(columns.tokens) != nullptr ? record.list(columns.tokens)
                                                             : words_of(record.text(columns.text));
      return example;
    };
    return reading;
  }
  reading.needs = {{{columns.tokens}}, {{columns.tags}}};
  reading.read = [columns](const Record& record) {
    Example example;
    example.line = record.line;
    example.words = record.list(columns.tokens);
    example.truth = record.list(columns.tags);
    require(!example.words.empty(), Kind::input, "{}: expected at least one word, found none",
            columns.tokens);
    require(example.truth.size() == example.words.size(), Kind::input,
            "{}: expected one for each of {} words, found {}", columns.tags, example.words.size(),
            example.truth.size());
    return example;
  };
  return reading;
}

Sample TokenClassificationTask::encode_input(const Example& example, const Tokenizer& tokenizer,
                                             const EncodeOptions& options) const {
  Sample sample;
  sample.texts = tokenizer.encode_windows(example.words, options);
  sample.units.assign(example.words.size(), -1);
  // Of several windows that one answers a word in which it stands farthest from the ends.
  std::vector<std::size_t> depths(example.words.size());
  std::int32_t row = 0;
  for (const Encoding& text : sample.texts) {
    std::vector<std::int32_t>& picks = sample.picks.emplace_back();
    const std::size_t tokens = text.input_ids.size();
    for (std::size_t token = 0; token < tokens; ++token) {
      if (!text.first_of_word(token)) continue;
      const auto word = static_cast<std::size_t>(text.word_ids[token]);
      const std::size_t depth = 1 + std::min(token, tokens - token);
      if (depth > depths[word]) depths[word] = depth, sample.units[word] = row;
      picks.push_back(static_cast<std::int32_t>(token));
      ++row;
    }
  }
  return sample;
}

Sample TokenClassificationTask::encode_all_tokens(const Example& example,
                                                  const Tokenizer& tokenizer,
                                                  const EncodeOptions& options,
                                                  const HeadConfig& head) const {
  Sample sample;
  for (Encoding& text : tokenizer.encode_windows(example.words, options)) {
    std::vector<std::int32_t>& picks = sample.picks.emplace_back();
    for (std::size_t token = 0; token < text.size(); ++token) {
      if (text.word_ids[token] < 0) continue;
      const std::string& label = example.truth[static_cast<std::size_t>(text.word_ids[token])];
      const std::string inside = label.starts_with("B-") ? "I-" + label.substr(2) : label;
      const bool goes_on =
          !text.first_of_word(token) && std::ranges::find(head.labels, inside) != head.labels.end();
      sample.targets.push_back(class_of(goes_on ? inside : label, head.labels));
      sample.units.push_back(static_cast<std::int32_t>(sample.units.size()));
      picks.push_back(static_cast<std::int32_t>(token));
    }
    sample.texts.push_back(without_places(std::move(text)));
  }
  return sample;
}

std::string TokenClassificationTask::tsv(const Example& example, const Answer& answer) const {
  std::string lines;
  for (std::size_t i = 0; i < example.words.size(); ++i) {
    lines += field(example.words[i]) + '\t' +
             field(answer[i].empty() ? std::string_view() : answer[i][0].label) + '\n';
  }
  return lines + '\n';
}

std::string TokenClassificationTask::json(const Example& example, const Answer& answer) const {
  nlohmann::ordered_json line = {{"line", example.line}, {"tokens", example.words}};
  line["tags"] = line["scores"] = nlohmann::ordered_json::array();
  for (const std::vector<Prediction>& best : answer) {
    if (best.empty()) {
      line["tags"].push_back(nullptr), line["scores"].push_back(nullptr);
    } else {
      line["tags"].push_back(best[0].label), line["scores"].push_back(rounded(best[0].score));
    }
  }
  return line.dump() + '\n';
}

std::string TokenClassificationTask::shown(const Example& example, std::size_t unit) const {
  const std::vector<std::string>& words = example.words;
  const std::size_t begin = unit > 6 ? unit - 6 : 0;
  const std::size_t end = std::min(words.size(), unit + 7);
  std::string text = begin > 0 ? "…" : "";
  for (std::size_t i = begin; i < end; ++i) {
    if (!text.empty()) text += ' ';
    text += i == unit ? "»" + words[i] + "«" : words[i];
  }
  return end < words.size() ? text + " …" : text;
}

bool TokenClassificationTask::marks_entities(std::span<const std::string> labels) const {
  const auto of_entity = [](const std::string& label) {
    return label.size() > 2 && label[1] == '-' &&
           std::string_view("BIESLU").find(label[0]) != std::string_view::npos;
  };
  return std::ranges::any_of(labels, of_entity) &&
         std::ranges::all_of(labels,
                             [&](const auto& label) { return label == "O" || of_entity(label); });
}

}  // namespace fnet
