#include "train/task.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <map>
#include <numeric>
#include <optional>
#include <set>

#include "core/error.h"
#include "core/random.h"

namespace fnet {
namespace {

/// Mistakes that a report shows.
constexpr std::size_t kWorst = 50;

const std::vector<TaskKind>& task_table() {
  static const std::vector<TaskKind> table = {
      {"text-classification", false, 0.4, {"accuracy", "macro_f1", "micro_f1", "mcc"}},
      {"token-classification", true, 0, {"accuracy", "macro_f1", "micro_f1", "mcc", "entity_f1"}}};
  return table;
}

std::optional<std::int64_t> whole_number(const std::string& text) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return {};
  return value;
}

/// The labels of one example.
std::span<const std::string> truths(const TaskKind& task, const Example& example) {
  if (task.per_token) return example.tags;
  return example.label ? std::span(&*example.label, 1) : std::span<const std::string>();
}

/// "… before >>word<< after …", a dozen words.
std::string word_in_sentence(const std::vector<std::string>& words, std::size_t index) {
  const std::size_t begin = index > 6 ? index - 6 : 0;
  const std::size_t end = std::min(words.size(), index + 7);
  std::string text = begin > 0 ? "…" : "";
  for (std::size_t i = begin; i < end; ++i) {
    if (!text.empty()) text += ' ';
    text += i == index ? "»" + words[i] + "«" : words[i];
  }
  return end < words.size() ? text + " …" : text;
}

}  // namespace

const TaskKind& task_kind(std::string_view name) {
  std::vector<std::string_view> names;
  for (const TaskKind& kind : task_table()) {
    if (kind.name == name) return kind;
    names.push_back(kind.name);
  }
  fail(Kind::usage, "--task: expected {}, found '{}'", fmt::join(names, " or "), printable(name));
}

std::vector<std::string> labels_of(const TaskKind& task, std::span<const Example> examples) {
  std::set<std::string> names;
  for (const Example& example : examples) {
    for (const std::string& label : truths(task, example)) names.insert(label);
  }
  std::vector<std::string> labels(names.begin(), names.end());
  if (std::ranges::all_of(labels,
                          [](const auto& label) { return whole_number(label).has_value(); })) {
    std::ranges::stable_sort(labels, {},
                             [](const std::string& label) { return *whole_number(label); });
  }
  return labels;
}

std::vector<Sample> make_samples(const TaskKind& task, std::span<const Example> examples,
                                 const Tokenizer& tokenizer, std::span<const std::string> labels,
                                 const EncodeOptions& options, const std::string& source) {
  std::map<std::string_view, std::int32_t> ids;
  for (const std::string& label : labels) ids.emplace(label, static_cast<std::int32_t>(ids.size()));
  std::vector<Sample> samples;
  samples.reserve(examples.size());
  for (std::size_t i = 0; i < examples.size(); ++i) {
    const Example& example = examples[i];
    Sample sample;
    sample.example = i;
    try {
      if (task.per_token) {
        require(example.tags.size() == example.tokens.size() && !example.tokens.empty(),
                Kind::input, "tags: expected one for each of {} words, found {}",
                example.tokens.size(), example.tags.size());
        sample.encoding = tokenizer.encode_words(example.tokens, options);
        sample.rows.assign(example.tokens.size(), -1);
        for (std::size_t t = 0; t < sample.encoding.input_ids.size(); ++t) {
          if (!sample.encoding.first_of_word(t)) continue;
          sample.rows[static_cast<std::size_t>(sample.encoding.word_ids[t])] =
              static_cast<std::int32_t>(t);
        }
      } else {
        require(example.label.has_value(), Kind::input, "label: expected one, found none");
        std::optional<std::string_view> pair;
        if (example.text_pair) pair = *example.text_pair;
        sample.encoding = tokenizer.encode(example.text, pair, options);
        sample.rows = {0};
      }
      for (const std::string& label : truths(task, example)) {
        const auto found = ids.find(label);
        require(found != ids.end(), Kind::input,
                "label: expected one of the {} labels of the training data, found '{}'",
                labels.size(), printable(label));
        sample.truth.push_back(found->second);
      }
    } catch (const Error& error) {
      throw error.within(fmt::format("{}:{}", source, example.line));
    }
    sample.encoding.offsets = {};
    samples.push_back(std::move(sample));
  }
  return samples;
}

double Evaluation::metric(std::string_view name) const {
  for (const auto& [key, value] : metrics) {
    if (key == name) return value;
  }
  fail(Kind::usage, "--metric: there is no '{}' here", printable(name));
}

Evaluation evaluate_answers(const TaskKind& task, std::span<const Example> examples,
                            std::span<const Sample> samples,
                            const std::vector<std::vector<Answer>>& answers,
                            std::span<const std::string> labels) {
  const auto outside = std::ranges::find(labels, "O");
  const auto dropped =
      static_cast<std::int32_t>(outside == labels.end() ? 0 : outside - labels.begin());
  std::vector<std::int32_t> truth, predicted;
  std::vector<std::vector<std::string>> truth_tags, predicted_tags;
  std::vector<Mistake> mistakes;
  for (std::size_t s = 0; s < samples.size(); ++s) {
    const Sample& sample = samples[s];
    const Example& example = examples[sample.example];
    truth_tags.emplace_back();
    predicted_tags.emplace_back();
    for (std::size_t i = 0; i < sample.truth.size(); ++i) {
      const Answer answer = sample.rows[i] < 0 ? Answer{dropped, 0} : answers[s][i];
      truth.push_back(sample.truth[i]);
      predicted.push_back(answer.label);
      const std::string& expected = labels[static_cast<std::size_t>(sample.truth[i])];
      const std::string& found = labels[static_cast<std::size_t>(answer.label)];
      if (task.per_token) {
        truth_tags.back().push_back(expected);
        predicted_tags.back().push_back(found);
      }
      if (sample.truth[i] == answer.label) continue;
      std::string text = example.text;
      if (example.text_pair) text += " ⁄ " + *example.text_pair;
      mistakes.push_back({example.line, task.per_token ? word_in_sentence(example.tokens, i) : text,
                          expected, found, answer.score});
    }
  }
  std::ranges::stable_sort(mistakes, std::ranges::greater(), &Mistake::score);
  mistakes.resize(std::min(mistakes.size(), kWorst));

  Evaluation evaluation;
  evaluation.report = classification_report(truth, predicted, labels);
  evaluation.worst = std::move(mistakes);
  evaluation.metrics = {{"accuracy", evaluation.report.accuracy},
                        {"macro_f1", evaluation.report.macro_f1},
                        {"micro_f1", evaluation.report.micro_f1},
                        {"mcc", evaluation.report.mcc}};
  if (task.per_token && tags_entities(labels)) {
    EntityReport entities = entity_report(truth_tags, predicted_tags);
    evaluation.metrics.emplace_back("entity_precision", entities.precision);
    evaluation.metrics.emplace_back("entity_recall", entities.recall);
    evaluation.metrics.emplace_back("entity_f1", entities.f1);
    evaluation.entities = std::move(entities.classes);
  }
  return evaluation;
}

bool tags_entities(std::span<const std::string> labels) {
  return std::ranges::any_of(labels, [](const std::string& label) {
    return label.size() > 2 && label[1] == '-' &&
           std::string_view("BIESLU").find(label[0]) != std::string_view::npos;
  });
}

std::vector<std::vector<std::size_t>> make_batches(std::span<const Sample> samples,
                                                   std::int64_t batch_size, std::uint64_t seed,
                                                   std::int64_t epoch) {
  // Sorting within pools keeps batches random, yet of like lengths.
  constexpr std::size_t kPool = 50;
  const auto size = static_cast<std::size_t>(batch_size);
  Philox random(seed, static_cast<std::uint64_t>(epoch));
  const auto shuffle = [&](auto& items) {
    for (std::size_t i = items.size(); i > 1; --i) std::swap(items[i - 1], items[random.below(i)]);
  };
  std::vector<std::size_t> order(samples.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  shuffle(order);
  std::vector<std::vector<std::size_t>> batches;
  for (std::size_t begin = 0; begin < order.size(); begin += kPool * size) {
    const std::size_t end = std::min(order.size(), begin + kPool * size);
    const auto pool = std::span(order).subspan(begin, end - begin);
    std::ranges::stable_sort(pool, {},
                             [&](std::size_t i) { return samples[i].encoding.input_ids.size(); });
    for (std::size_t i = 0; i < pool.size(); i += size) {
      const auto batch = pool.subspan(i, std::min(size, pool.size() - i));
      batches.emplace_back(batch.begin(), batch.end());
    }
  }
  shuffle(batches);
  return batches;
}

std::vector<double> balanced_weights(std::span<const Sample> samples, std::size_t classes) {
  std::vector<double> weights(classes, 0.0);
  double total = 0;
  for (const Sample& sample : samples) {
    for (const std::int32_t label : sample.truth)
      ++weights[static_cast<std::size_t>(label)], ++total;
  }
  for (double& weight : weights) {
    weight = weight > 0 ? total / (static_cast<double>(classes) * weight) : 0.0;
  }
  return weights;
}

std::uint64_t fingerprint(std::span<const Example> examples) {
  std::uint64_t hash = 0xcbf29ce484222325ULL;  // FNV-1a
  const auto add = [&](std::string_view text) {
    for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3ULL;
    hash = (hash ^ 0xFF) * 0x100000001b3ULL;
  };
  for (const Example& example : examples) {
    add(example.text);
    add(example.text_pair.value_or(""));
    add(example.label.value_or(""));
    for (const std::string& token : example.tokens) add(token);
    for (const std::string& tag : example.tags) add(tag);
  }
  return hash;
}

}  // namespace fnet
