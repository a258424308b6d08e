#include "runtime/samples.h"

#include <iterator>

#include "core/vectors.h"
#include "model/kinds.h"

namespace fnet {

namespace {

/// The mean of the scores of a text's windows, each [1, C].
Matrix mean_of(std::span<const Matrix> windows) {
  Matrix mean(1, windows[0].cols);
  std::vector<float> all;
  for (const Matrix& one : windows) all.insert(all.end(), one.data.begin(), one.data.end());
  mean_into(mean.data, all);
  return mean;
}

}  // namespace

std::vector<TextInput> inputs_of(std::span<const Example> examples) {
  std::vector<TextInput> inputs;
  for (const Example& example : examples) {
    inputs.emplace_back(example.texts[0]);
    if (example.texts.size() > 1) inputs.back().pair = example.texts[1];
  }
  return inputs;
}

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
    auto& own = by_sample.emplace_back(next, end);
    if (sample.windows) own = {mean_of(own)};
    next = end;
  }
  return by_sample;
}

void for_each_scores(const Engine& engine, std::span<const Sample> samples,
                     const std::function<void(std::size_t, std::span<const Matrix>)>& use) {
  constexpr std::size_t kMost = std::size_t{16} << 20;  // numbers
  const Config& config = engine.config();
  const std::size_t width =
      has_labels(config.task) ? config.labels.size() : static_cast<std::size_t>(config.vocab_size);
  for (std::size_t begin = 0; begin < samples.size();) {
    std::size_t end = begin;
    for (std::size_t numbers = 0; end < samples.size(); ++end) {
      numbers += samples[end].rows() * width;
      if (numbers > kMost && end > begin) break;
    }
    const auto scores = scores_of(engine, samples.subspan(begin, end - begin));
    for (; begin < end; ++begin) use(begin, scores[begin + scores.size() - end]);
  }
}

}  // namespace fnet
