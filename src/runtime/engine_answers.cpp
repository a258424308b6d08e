// What an engine answers by its head's task.
#include "core/error.h"
#include "fnet/engine.h"
#include "runtime/samples.h"
#include "tasks/task.h"

namespace fnet {
namespace {

/// The task of a head, which must be one that answers such units.
const Task& task_for(const HeadConfig& head, std::string_view unit) {
  const Task& own = task_of(head);
  require(own.unit() == unit, Kind::usage,
          "model: expected a model that answers {}, found one for {}", unit, own.name());
  return own;
}

std::vector<Example> examples_of(std::span<const TextInput> texts) {
  std::vector<Example> examples;
  for (const TextInput& text : texts) {
    examples.emplace_back().texts = {text.text};
    if (text.pair) examples.back().texts.push_back(*text.pair);
  }
  return examples;
}

}  // namespace

std::vector<std::vector<Prediction>> Engine::classify(std::span<const Encoding> batch,
                                                      std::size_t top_k,
                                                      std::string_view name) const {
  const HeadConfig head = config().head(name);
  const Task& task = task_for(head, "texts");
  Sample sample;
  sample.units = {0};
  std::vector<std::vector<Prediction>> result;
  for (const Matrix& text : scores(batch, {}, name)) {
    result.push_back(task.answer({}, sample, {&text, 1}, head, {.top_k = top_k}).front());
  }
  return result;
}

std::vector<std::vector<Prediction>> Engine::classify(std::span<const TextInput> texts,
                                                      std::size_t top_k,
                                                      std::string_view name) const {
  const HeadConfig head = config().head(name);
  const Task& task = task_for(head, "texts");
  const std::vector<Example> examples = examples_of(texts);
  const std::vector<Sample> samples = fnet::encode(*this, task, head, examples);
  const auto scores = scores_of(*this, samples, name);
  std::vector<std::vector<Prediction>> result;
  for (std::size_t i = 0; i < samples.size(); ++i) {
    result.push_back(
        task.answer(examples[i], samples[i], scores[i], head, {.top_k = top_k}).front());
  }
  return result;
}

std::vector<std::vector<Prediction>> Engine::tag(
    std::span<const std::vector<std::string>> sentences, std::string_view name) const {
  const HeadConfig head = config().head(name);
  const Task& task = task_for(head, "words");
  std::vector<Example> examples;
  for (const auto& words : sentences) examples.emplace_back().words = words;
  const std::vector<Sample> samples = fnet::encode(*this, task, head, examples);
  const auto scores = scores_of(*this, samples, name);
  std::vector<std::vector<Prediction>> result;
  for (std::size_t s = 0; s < samples.size(); ++s) {
    auto& tags = result.emplace_back();
    for (const auto& best : task.answer(examples[s], samples[s], scores[s], head)) {
      tags.push_back(best.empty() ? Prediction() : best.front());
    }
  }
  return result;
}

std::vector<Prediction> Engine::answer(const std::string& question, const std::string& context,
                                       std::size_t top_k, std::string_view name) const {
  const HeadConfig head = config().head(name);
  const Task& task = task_for(head, "questions");
  Example example;
  example.texts = {question, context};
  const Sample sample = task.encode(example, tokenizer(), encode_options(), head);
  const auto scores = scores_of(*this, {&sample, 1}, name);
  return task.answer(example, sample, scores[0], head, {.top_k = top_k}).front();
}

std::vector<std::vector<std::vector<Prediction>>> Engine::fill_mask(
    std::span<const TextInput> texts, std::size_t top_k, std::string_view name) const {
  const HeadConfig head = config().head(name);
  const Task& task = task_for(head, "masks");
  const std::vector<Example> examples = examples_of(texts);
  const std::vector<Sample> samples = fnet::encode(*this, task, head, examples);
  std::vector<Answer> result;
  for_each_scores(
      *this, samples,
      [&](std::size_t i, std::span<const Matrix> scores) {
        result.push_back(task.answer(examples[i], samples[i], scores, head,
                                     {.top_k = top_k, .tokenizer = &tokenizer()}));
      },
      name);
  return result;
}

}  // namespace fnet
