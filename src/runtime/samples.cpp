#include "runtime/samples.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "core/vectors.h"
#include "model/kinds.h"

namespace fnet {
namespace {

std::vector<Encoding> texts_of(std::span<const Sample> samples) {
  std::vector<Encoding> texts;
  for (const Sample& sample : samples)
    texts.insert(texts.end(), sample.texts.begin(), sample.texts.end());
  return texts;
}

/// Makes of the scores of one text's windows, each [1, C], their mean.
void join_windows(const Sample& sample, std::vector<Matrix>& scores) {
  if (!sample.windows) return;
  Matrix mean(1, scores[0].cols);
  std::vector<float> all;
  for (const Matrix& one : scores) all.insert(all.end(), one.data.begin(), one.data.end());
  mean_into(mean.data, all);
  scores = {std::move(mean)};
}

/// The scores of all texts of samples, sample by sample.
std::vector<std::vector<Matrix>> by_sample(std::vector<Matrix> scores,
                                           std::span<const Sample> samples) {
  std::vector<std::vector<Matrix>> result;
  result.reserve(samples.size());
  auto next = std::make_move_iterator(scores.begin());
  for (const Sample& sample : samples) {
    const auto end = next + static_cast<std::ptrdiff_t>(sample.texts.size());
    result.emplace_back(next, end);
    next = end;
  }
  return result;
}

bool same_tokens(const Sample& a, const Sample& b) {
  return std::ranges::equal(a.texts, b.texts, [](const Encoding& x, const Encoding& y) {
    return x.input_ids == y.input_ids && x.token_type_ids == y.token_type_ids;
  });
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

Encoding encoding_of(const Engine& engine, const Example& example) {
  if (!example.numbers.shape.empty()) return engine.encode(example.numbers);
  return engine.encode(inputs_of({&example, 1}).front());
}

Matrix embed(const Engine& engine, std::span<const Example> examples, std::string_view pooling,
             bool normalize) {
  if (!engine.config().reads_numbers())
    return engine.embed(inputs_of(examples), pooling, normalize);
  std::vector<Encoding> arrays;
  for (const Example& example : examples) arrays.push_back(encoding_of(engine, example));
  return engine.embed(arrays, pooling, normalize);
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

std::vector<std::vector<Matrix>> scores_of(const Engine& engine, std::span<const Sample> samples,
                                           std::string_view head) {
  std::vector<std::vector<std::int32_t>> picks;  // of a task that picks rows: one list a text
  for (const Sample& sample : samples)
    picks.insert(picks.end(), sample.picks.begin(), sample.picks.end());
  auto result = by_sample(engine.scores(texts_of(samples), picks, head), samples);
  for (std::size_t i = 0; i < samples.size(); ++i) join_windows(samples[i], result[i]);
  return result;
}

std::vector<std::vector<std::vector<Matrix>>> scores_of(
    const Engine& engine, std::span<const std::vector<Sample>> samples,
    std::span<const std::string> heads) {
  const std::vector<Sample>& shared = samples[0];
  std::vector<std::vector<std::vector<std::int32_t>>> picks(heads.size());
  std::vector<std::vector<std::size_t>> others(heads.size());  // which read other tokens
  std::vector<HeadQuery> queries;
  for (std::size_t h = 0; h < heads.size(); ++h) {
    for (std::size_t i = 0; i < shared.size(); ++i) {
      const Sample& own = samples[h][i];
      if (same_tokens(own, shared[i])) {
        picks[h].insert(picks[h].end(), own.picks.begin(), own.picks.end());
      } else {
        others[h].push_back(i);
        if (!own.picks.empty()) picks[h].resize(picks[h].size() + shared[i].texts.size());
      }
    }
    queries.push_back({.head = heads[h], .picks = picks[h]});
  }
  std::vector<std::vector<std::vector<Matrix>>> result;
  for (std::vector<Matrix>& scores : engine.scores(texts_of(shared), queries))
    result.push_back(by_sample(std::move(scores), shared));
  for (std::size_t h = 0; h < heads.size(); ++h) {
    std::vector<Sample> own;
    for (const std::size_t i : others[h]) own.push_back(samples[h][i]);
    std::vector<std::vector<Matrix>> scores;
    if (!own.empty()) scores = scores_of(engine, own, heads[h]);
    for (std::size_t i = 0, k = 0; i < shared.size(); ++i) {
      if (k < own.size() && others[h][k] == i) {
        result[h][i] = std::move(scores[k++]);
      } else {
        join_windows(samples[h][i], result[h][i]);
      }
    }
  }
  return result;
}

void for_each_scores(const Engine& engine, std::span<const Sample> samples,
                     const std::function<void(std::size_t, std::span<const Matrix>)>& use,
                     std::string_view head) {
  constexpr std::size_t kMost = std::size_t{16} << 20;  // numbers
  const HeadConfig own = engine.config().head(head);
  const std::size_t width = has_labels(own.task)
                                ? own.labels.size()
                                : static_cast<std::size_t>(engine.config().vocab_size);
  for (std::size_t begin = 0; begin < samples.size();) {
    std::size_t end = begin;
    for (std::size_t numbers = 0; end < samples.size(); ++end) {
      numbers += samples[end].rows() * width;
      if (numbers > kMost && end > begin) break;
    }
    const auto scores = scores_of(engine, samples.subspan(begin, end - begin), head);
    for (; begin < end; ++begin) use(begin, scores[begin + scores.size() - end]);
  }
}

}  // namespace fnet
