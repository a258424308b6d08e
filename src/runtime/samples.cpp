#include "runtime/samples.h"

#include <iterator>

#include "model/kinds.h"

namespace fnet {

std::vector<TextInput> inputs_of(std::span<const Example> examples) {
  std::vector<TextInput> inputs;
  for (const Example& example : examples) {
    inputs.emplace_back(example.texts[0]);
    if (example.texts.size() > 1) inputs.back().pair = example.texts[1];
  }
  return inputs;
}

Encoding encoding_of(const Engine& engine, const Example& example) {
  if (!example.numbers.shape.empty()) return engine.encode(example.numbers);
  return engine.encode(inputs_of({&example, 1}).front());
}

std::vector<Sample> encode(const Engine& engine, const Task& task, const HeadConfig& head,
                           std::span<const Example> examples) {
  std::vector<Sample> samples;
  samples.reserve(examples.size());
  const Tokenizer tokenizer = engine.config().reads_numbers() ? Tokenizer() : engine.tokenizer();
  for (const Example& example : examples) {
    samples.push_back(task.encode(example, tokenizer, engine.encode_options(), head));
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
