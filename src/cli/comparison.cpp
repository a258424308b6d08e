#include "cli/comparison.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "core/vectors.h"
#include "runtime/samples.h"

namespace fnet::cli {
namespace {

using Clock = std::chrono::steady_clock;

/// Whether a file's first record has what labelled examples need.
bool has_truth(const InputFlags& input, const Engine& engine, const Reading& reading) {
  if (input.path == "-") return !input.options.format.empty() && input.options.format != "text";
  DataReader reader(input.path, input.options_for(engine));
  Record record;
  if (!reader.next(record)) return false;
  return std::ranges::all_of(reading.needs, [&](const Reading::Need& need) {
    return need.optional || !name_in(record, need.names).empty();
  });
}

std::string text_of(const Example& example) {
  if (!example.numbers.data.empty()) return shown(example.numbers);
  const bool words = !example.words.empty();
  return fmt::format("{}", fmt::join(words ? example.words : example.texts, words ? " " : " | "));
}

/// A unit's answers as one: its labels.
std::string answer_of(const std::vector<Prediction>& unit) {
  std::vector<std::string> labels;
  for (const Prediction& p : unit) labels.push_back(p.label);
  std::ranges::sort(labels);
  return fmt::format("{}", fmt::join(labels, ","));
}

/// Times pass(side) of each model over its own texts, now the one first, now the other.
class Turns {
 public:
  explicit Turns(Sides& sides) : sides_(sides) {}

  void take(const std::array<std::vector<Encoding>, 2>& texts, const auto& pass) {
    if (batches_ == 0) {  // the caches are cold
      for (const std::size_t i : {0, 1}) pass(i);
    }
    for (const std::size_t turn : {0, 1}) {
      const std::size_t i = (batches_ + turn) % 2;
      const auto start = Clock::now();
      pass(i);
      sides_[i].seconds += std::chrono::duration<double>(Clock::now() - start).count();
      for (const Encoding& text : texts[i]) sides_[i].tokens += text.size();
    }
    ++batches_;
  }

 private:
  Sides& sides_;
  std::size_t batches_ = 0;
};

/// The answers to one example side by side; `sample` as the first model reads it.
void compare_units(const Task& task, const HeadConfig& head, const Example& example,
                   const std::array<Answer, 2>& answers, const Sample& sample, Findings& out) {
  for (std::size_t u = 0; u < answers[0].size(); ++u) {
    Difference d{.line = example.line, .text = text_of(example)};
    for (const std::size_t i : {0, 1}) {
      d.answers[i] = answer_of(answers[i][u]);
      d.scores[i] = answers[i][u].empty() ? 0.0 : answers[i][u].front().score;
    }
    if (task.reads_words()) d.text = fmt::format("{} in: {}", example.words[u], d.text);
    d.truth = fmt::format("{}", fmt::join(example.truth, ","));
    if (out.decided) {
      d.truth = head.labels[static_cast<std::size_t>(sample.targets[u])];
      for (const std::size_t i : {0, 1})
        out.only[i] += d.answers[i] == d.truth && d.answers[1 - i] != d.truth;
    }
    if (task.loss() == Loss::squared_error) {
      out.values.emplace_back(static_cast<float>(d.scores[0]), static_cast<float>(d.scores[1]));
      for (const std::size_t i : {0, 1}) d.answers[i] = fmt::format("{:.4f}", d.scores[i]);
      d.distance = std::abs(d.scores[0] - d.scores[1]);
    } else {
      out.agreement.add(d.answers[0], d.answers[1]);
      d.distance = d.answers[0] == d.answers[1] ? 0 : 1e-9 + d.scores[0] + d.scores[1];
    }
    if (d.distance > 0) out.differences.add(std::move(d));
  }
}

}  // namespace

void Differences::add(Difference difference) {
  ++count_;
  kept_.push_back(std::move(difference));
  if (kept_.size() / 2 > most_ + 1000) keep();
}

void Differences::keep() {
  std::ranges::stable_sort(kept_, std::ranges::greater(), &Difference::distance);
  kept_.resize(std::min(kept_.size(), most_));
}

std::span<const Difference> Differences::sorted() {
  keep();
  return kept_;
}

Findings compare_answers(const InputFlags& input, Sides& sides, std::size_t most_differences) {
  const std::array<HeadConfig, 2> heads = {sides[0].engine.config().head(""),
                                           sides[1].engine.config().head("")};
  const Task& task = task_of(heads[0]);
  require(task.problem_type() == task_of(heads[1]).problem_type(), Kind::usage,
          "OTHER: expected a model for {}, found one for {}", task.problem_type(),
          task_of(heads[1]).problem_type());
  const Columns columns = input.columns_for(sides[0].engine);
  const bool labelled = has_truth(input, sides[0].engine, task.reading(columns, true));
  Findings out(most_differences);
  out.unit = task.unit();
  out.decided = labelled && task.loss() == Loss::cross_entropy;
  for (const std::size_t i : {0, 1}) {
    if (labelled) sides[i].scorer = task.scorer(heads[i]);
  }
  Turns turns(sides);
  const auto compare = [&](std::span<const Example> batch) {
    std::array<std::vector<Sample>, 2> samples;
    std::array<std::vector<Encoding>, 2> texts;
    std::array<std::vector<std::vector<Matrix>>, 2> scores;
    for (const std::size_t i : {0, 1}) {
      samples[i] = encode(sides[i].engine, task, heads[i], batch);
      for (const Sample& s : samples[i])
        texts[i].insert(texts[i].end(), s.texts.begin(), s.texts.end());
    }
    turns.take(texts, [&](std::size_t i) { scores[i] = scores_of(sides[i].engine, samples[i]); });
    for (std::size_t e = 0; e < batch.size(); ++e) {
      std::array<Answer, 2> answers;
      for (const std::size_t i : {0, 1}) {
        answers[i] = task.answer(batch[e], samples[i][e], scores[i][e], heads[i]);
        if (labelled) sides[i].scorer->add(batch[e], samples[i][e], scores[i][e]);
      }
      compare_units(task, heads[0], batch[e], answers, samples[0][e], out);
    }
    out.texts += batch.size();
  };
  input.for_each_batch(sides[0].engine, task.reading(columns, labelled), compare);
  return out;
}

Findings compare_vectors(const InputFlags& input, Sides& sides, std::size_t most_differences) {
  Findings out(most_differences);
  out.of_answers = false;
  out.unit = "texts";
  const bool same_size =
      sides[0].engine.config().hidden_size == sides[1].engine.config().hidden_size;
  std::array<std::vector<float>, 2> last;
  Turns turns(sides);
  const auto compare = [&](std::span<const Example> batch) {
    std::array<Matrix, 2> vectors;
    std::array<std::vector<Encoding>, 2> texts;
    for (const std::size_t i : {0, 1}) {
      for (const Example& example : batch)
        texts[i].push_back(encoding_of(sides[i].engine, example));
    }
    turns.take(texts,
               [&](std::size_t i) { vectors[i] = sides[i].engine.embed(texts[i], {}, true); });
    for (std::size_t e = 0; e < batch.size(); ++e) {
      const auto a = vectors[0].row(e), b = vectors[1].row(e);
      if (!last[0].empty()) {
        out.values.emplace_back(static_cast<float>(dot(last[0], a)),
                                static_cast<float>(dot(last[1], b)));
      }
      last = {std::vector<float>(a.begin(), a.end()), std::vector<float>(b.begin(), b.end())};
      if (!same_size) continue;
      const double cosine = dot(a, b);
      out.cosine += cosine;
      out.least_cosine = std::min(out.least_cosine, cosine);
      out.differences.add({.line = batch[e].line,
                           .scores = {cosine, cosine},
                           .text = text_of(batch[e]),
                           .distance = 1 - cosine});
    }
    out.texts += batch.size();
  };
  input.for_each_batch(sides[0].engine,
                       read_texts(input.columns_for(sides[0].engine), "embeddings"), compare);
  out.cosine /= static_cast<double>(out.texts);
  if (!same_size) out.cosine = out.least_cosine = std::nan("");
  return out;
}

}  // namespace fnet::cli
