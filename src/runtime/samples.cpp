#include "runtime/samples.h"

#include <iterator>

namespace fnet {

std::vector<Sample> encode(const Engine& engine, const Task& task, const HeadConfig& head,
                           std::span<const Example> examples) {
  std::vector<Sample> samples;
  samples.reserve(examples.size());
  for (const Example& example : examples) {
    samples.push_back(task.encode(example, engine.tokenizer(), engine.encode_options(), head));
  }
  return samples;
}

std::vector<std::vector<Matrix>> scores_of(const Engine& engine, std::span<const Sample> samples) {
  std::vector<Encoding> texts;
  std::vector<std::vector<std::int32_t>> picks;  // of a task that picks rows: one list a text
  for (const Sample& sample : samples) {
    texts.insert(texts.end(), sample.texts.begin(), sample.texts.end());
    picks.insert(picks.end(), sample.picks.begin(), sample.picks.end());
  }
  std::vector<Matrix> scores = engine.scores(texts, picks);
  std::vector<std::vector<Matrix>> by_sample;
  by_sample.reserve(samples.size());
  auto next = std::make_move_iterator(scores.begin());
  for (const Sample& sample : samples) {
    const auto end = next + static_cast<std::ptrdiff_t>(sample.texts.size());
    by_sample.emplace_back(next, end);
    next = end;
  }
  return by_sample;
}

}  // namespace fnet
