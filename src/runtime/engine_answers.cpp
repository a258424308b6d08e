// What an engine answers by its head's task.
#include <utility>

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

/// What a head answers about each example.
std::vector<Answer> answers(const Engine& engine, const Task& task, const HeadConfig& head,
                            std::span<const Example> examples, std::string_view name,
                            const AnswerOptions& options = {}) {
  const std::vector<Sample> samples = encode(engine, task, head, examples);
  std::vector<Answer> result;
  for_each_scores(
      engine, samples,
      [&](std::size_t i, std::span<const Matrix> scores) {
        result.push_back(task.answer(examples[i], samples[i], scores, head, options));
      },
      name);
  return result;
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
  std::vector<std::vector<Prediction>> result;
  for (Answer& answer : answers(*this, task, head, examples_of(texts), name, {.top_k = top_k}))
    result.push_back(std::move(answer.front()));
  return result;
}

std::vector<std::vector<Prediction>> Engine::tag(
    std::span<const std::vector<std::string>> sentences, std::string_view name) const {
  const HeadConfig head = config().head(name);
  const Task& task = task_for(head, "words");
  std::vector<Example> examples;
  for (const auto& words : sentences) examples.emplace_back().words = words;
  std::vector<std::vector<Prediction>> result;
  for (const Answer& answer : answers(*this, task, head, examples, name)) {
    auto& tags = result.emplace_back();
    for (const auto& best : answer) tags.push_back(best.empty() ? Prediction() : best.front());
  }
  return result;
}

std::vector<Prediction> Engine::answer(const std::string& question, const std::string& context,
                                       std::size_t top_k, std::string_view name) const {
  const HeadConfig head = config().head(name);
  const Task& task = task_for(head, "questions");
  Example example;
  example.texts = {question, context};
  return std::move(
      answers(*this, task, head, {&example, 1}, name, {.top_k = top_k}).front().front());
}

std::vector<std::vector<std::vector<Prediction>>> Engine::fill_mask(
    std::span<const TextInput> texts, std::size_t top_k, std::string_view name) const {
  const HeadConfig head = config().head(name);
  const Task& task = task_for(head, "masks");
  return answers(*this, task, head, examples_of(texts), name,
                 {.top_k = top_k, .tokenizer = &tokenizer()});
}

}  // namespace fnet
