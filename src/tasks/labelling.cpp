#include "tasks/labelling.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <set>

#include "core/error.h"
#include "core/numbers.h"

namespace fnet {
namespace {

/// Mistakes that a report shows.
constexpr std::size_t kWorst = 50;

/// The class that stands for an answer which truncation cut off.
constexpr const char* kCutOff = "(beyond the model's length)";

class LabelScorer final : public Scorer {
 public:
  LabelScorer(const LabellingTask& task, const HeadConfig& head)
      : task_(task), names_(head.labels), entities_(task.marks_entities(head.labels)) {
    names_.emplace_back(kCutOff);
  }

  void add(const Example& example, const Sample& sample, std::span<const Matrix> scores) override {
    require(sample.targets.size() == sample.units.size(), Kind::usage,
            "scorer: expected a target for each of {} units, found {}", sample.units.size(),
            sample.targets.size());
    for (std::size_t i = 0; i < sample.units.size(); ++i) {
      Choice answer{static_cast<std::int32_t>(names_.size() - 1), 0};
      if (sample.units[i] >= 0) {
        answer = best_classes(row_of(scores, sample.units[i]), 1).front();
      } else {
        ++cut_off_;
      }
      truth_.push_back(sample.targets[i]);
      predicted_.push_back(answer.label);
      if (answer.label != sample.targets[i])
        mistakes_.add({example.line, task_.shown(example, i), name(sample.targets[i]),
                       name(answer.label), answer.score});
    }
    ends_.push_back(truth_.size());
  }

  Evaluation finish() override {
    Evaluation out;
    out.unit = task_.unit();
    out.count = truth_.size();
    const std::size_t classes = names_.size() - (cut_off_ > 0 ? 0 : 1);
    out.report = classification_report(truth_, predicted_, std::span(names_).first(classes));
    out.metrics = {{"accuracy", out.report->accuracy},
                   {"macro_f1", out.report->macro_f1},
                   {"micro_f1", out.report->micro_f1},
                   {"mcc", out.report->mcc}};
    if (entities_) {
      out.entities = entity_report(tags(truth_), tags(predicted_));
      out.metrics.emplace_back("entity_precision", out.entities->precision);
      out.metrics.emplace_back("entity_recall", out.entities->recall);
      out.metrics.emplace_back("entity_f1", out.entities->f1);
    }
    out.worst = mistakes_.take();
    out.cut_off = cut_off_;
    return out;
  }

 private:
  const std::string& name(std::int32_t label) const {
    return names_[static_cast<std::size_t>(label)];
  }

  /// Classes as tags of each sentence. What was cut off has the empty tag, which is in no entity
  /// and equals no true tag.
  std::vector<std::vector<std::string>> tags(const std::vector<std::int32_t>& classes) const {
    std::vector<std::vector<std::string>> sentences;
    std::size_t at = 0;
    for (const std::size_t end : ends_) {
      auto& sentence = sentences.emplace_back();
      for (; at < end; ++at) {
        const auto label = static_cast<std::size_t>(classes[at]);
        sentence.push_back(label + 1 < names_.size() ? names_[label] : "");
      }
    }
    return sentences;
  }

  const LabellingTask& task_;
  std::vector<std::string> names_;  // of the classes, and the one for what was cut off
  const bool entities_;
  std::vector<std::int32_t> truth_, predicted_;
  std::vector<std::size_t> ends_;  // of each example among them
  WorstMistakes mistakes_;
  std::size_t cut_off_ = 0;
};

}  // namespace

std::int32_t class_of(const std::string& label, std::span<const std::string> labels) {
  const auto found = std::ranges::find(labels, label);
  if (found != labels.end()) return static_cast<std::int32_t>(found - labels.begin());
  const std::string close = nearest(label, labels);
  fail(Kind::input, "label: expected one of the {} labels of the model, found '{}'{}",
       labels.size(), printable(label),
       close.empty() ? "" : fmt::format("; did you mean '{}'?", close));
}

std::span<const float> row_of(std::span<const Matrix> scores, std::int32_t row) {
  auto left = static_cast<std::size_t>(row);
  for (const Matrix& matrix : scores) {
    if (left < matrix.rows) return matrix.row(left);
    left -= matrix.rows;
  }
  fail(Kind::usage, "scores: expected a row {}, found fewer", row);
}

void WorstMistakes::add(Mistake mistake) {
  mistakes_.push_back(std::move(mistake));
  if (mistakes_.size() > 8 * kWorst) keep();
}

std::vector<Mistake> WorstMistakes::take() {
  keep();
  return std::move(mistakes_);
}

void WorstMistakes::keep() {
  std::ranges::stable_sort(mistakes_, [](const Mistake& a, const Mistake& b) {
    return a.score != b.score ? a.score > b.score : a.line < b.line;
  });
  mistakes_.resize(std::min(mistakes_.size(), kWorst));
}

double rounded(float score) { return std::round(static_cast<double>(score) * 1e6) / 1e6; }

std::vector<Choice> best_classes(std::span<const float> scores, std::size_t top_k) {
  std::vector<float> probabilities(scores.begin(), scores.end());
  const float top = std::ranges::max(probabilities);
  double sum = 0;  // over a vocabulary, perhaps
  for (float& p : probabilities) sum += p = std::exp(p - top);
  for (float& p : probabilities) p = static_cast<float>(p / sum);
  std::vector<Choice> order;
  for (const float p : probabilities) order.push_back({static_cast<std::int32_t>(order.size()), p});
  const std::size_t count = std::min(top_k, order.size());
  std::ranges::partial_sort(order, order.begin() + static_cast<std::ptrdiff_t>(count),
                            [](const Choice& a, const Choice& b) {
                              return a.score != b.score ? a.score > b.score : a.label < b.label;
                            });
  order.resize(count);
  return order;
}

std::vector<std::string> LabellingTask::metrics(std::span<const std::string>) const {
  return {"accuracy", "macro_f1", "micro_f1", "mcc"};
}

std::vector<std::string> labels_of(std::span<const Example> examples) {
  std::set<std::string> names;
  for (const Example& example : examples) {
    names.insert(example.truth.begin(), example.truth.end());
  }
  std::vector<std::string> labels(names.begin(), names.end());
  if (std::ranges::all_of(
          labels, [](const auto& label) { return to_number<std::int64_t>(label).has_value(); }))
    std::ranges::stable_sort(labels, {},
                             [](const auto& label) { return *to_number<std::int64_t>(label); });
  return labels;
}

std::vector<std::string> LabellingTask::labels(std::span<const Example> examples) const {
  std::vector<std::string> labels = labels_of(examples);
  require(labels.size() >= 2, Kind::input, "label: expected at least two labels, found {}",
          labels.size());
  return labels;
}

Sample LabellingTask::encode_bare(const Example& example, const Tokenizer& tokenizer,
                                  const EncodeOptions& options) const {
  Sample sample = encode_input(example, tokenizer, options);
  for (Encoding& text : sample.texts) text = without_places(std::move(text));
  return sample;
}

Sample LabellingTask::encode(const Example& example, const Tokenizer& tokenizer,
                             const EncodeOptions& options, const HeadConfig& head) const {
  require(
      !example.listed, Kind::input,
      "label: expected one label, found a list of {}; multi_label_classification is the problem "
      "type of several",
      example.truth.size());
  Sample sample = encode_bare(example, tokenizer, options);
  for (const std::string& label : example.truth) {
    sample.targets.push_back(class_of(label, head.labels));
  }
  return sample;
}

Answer LabellingTask::answer(const Example&, const Sample& sample, std::span<const Matrix> scores,
                             const HeadConfig& head, const AnswerOptions& options) const {
  Answer answer(sample.units.size());
  for (std::size_t i = 0; i < sample.units.size(); ++i) {
    if (sample.units[i] < 0) continue;
    const std::size_t count = std::max<std::size_t>(1, options.top_k);
    for (const Choice& choice : best_classes(row_of(scores, sample.units[i]), count)) {
      answer[i].push_back({head.labels[static_cast<std::size_t>(choice.label)], choice.score});
    }
  }
  return answer;
}

std::unique_ptr<Scorer> LabellingTask::scorer(const HeadConfig& head) const {
  return std::make_unique<LabelScorer>(*this, head);
}

}  // namespace fnet
