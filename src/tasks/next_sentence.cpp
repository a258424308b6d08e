#include "tasks/next_sentence.h"

#include <algorithm>
#include <cctype>

#include "core/error.h"

namespace fnet {
namespace {

constexpr const char* kLabels[] = {"is_next", "not_next"};

/// The class by a number or a word; letters alone count. Throws: input.
std::int32_t class_named(const std::string& label) {
  std::string word;
  for (const char c : label) {
    if (std::isalnum(static_cast<unsigned char>(c)) != 0)
      word += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  }
  if (word == "0" || word == "isnext") return 0;
  if (word == "1" || word == "notnext") return 1;
  fail(Kind::input,
       "label: expected 0 or is_next where the second text follows, 1 or not_next where it does "
       "not, found '{}'",
       printable(label));
}

}  // namespace

const Task& NextSentenceTask::for_head(const HeadConfig& head) const {
  require(head.labels.empty() || head.labels.size() == 2, Kind::input,
          "id2label: expected two classes for {}, found {}", name(), head.labels.size());
  return Task::for_head(head);
}

std::vector<std::string> NextSentenceTask::metrics(std::span<const std::string> labels) const {
  return LabellingTask::metrics(labels);
}

Reading NextSentenceTask::reading(const Columns& columns, bool labelled) const {
  Reading reading = read_texts(columns, std::string(name()));
  reading.needs[1].optional = false;
  if (!labelled) return reading;
  const std::vector<std::string> names = {columns.label, "next_sentence_label"};
  reading.needs.push_back({names});
  reading.read = [texts = reading.read, names](const Record& record) {
    Example example = texts(record);
    example.truth = {kLabels[class_named(record.label(name_in(record, names)))]};
    return example;
  };
  return reading;
}

std::vector<std::string> NextSentenceTask::labels(std::span<const Example>) const {
  return {std::begin(kLabels), std::end(kLabels)};
}

Sample NextSentenceTask::encode(const Example& example, const Tokenizer& tokenizer,
                                const EncodeOptions& options, const HeadConfig&) const {
  Sample sample = encode_bare(example, tokenizer, options);
  if (!example.truth.empty()) sample.targets = {class_named(example.truth[0])};
  return sample;
}

}  // namespace fnet
