#pragma once

#include <cstdint>

#include "tasks/task.h"

namespace fnet {

/// A class and its probability.
struct Choice {
  std::int32_t label = 0;
  float score = 0;
};

/// The `top_k` most probable classes under softmax, best first; of equals the lower one first.
std::vector<Choice> best_classes(std::span<const float> scores, std::size_t top_k);

/// A unit's row of all texts' scores, counted over the texts. Throws: usage where they are fewer.
std::span<const float> row_of(std::span<const Matrix> scores, std::int32_t row);

/// The class of a label. Throws: input where there is none, with the nearest one's name.
std::int32_t class_of(const std::string& label, std::span<const std::string> labels);

/// The labels that occur, each once: sorted as numbers where all are whole numbers, else by name.
std::vector<std::string> labels_of(std::span<const Example> examples);

/// Mistakes for a report: those with the highest score, of equals the earlier line.
class WorstMistakes {
 public:
  void add(Mistake mistake);
  std::vector<Mistake> take();

 private:
  void keep();
  std::vector<Mistake> mistakes_;
};

/// A probability as JSON gets it: it has no more than six digits to tell.
double rounded(float score);

/// What tasks share that give each unit one of a set of labels.
class LabellingTask : public Task {
 public:
  using Task::Task;

  Loss loss() const noexcept override { return Loss::cross_entropy; }
  double label_smoothing() const noexcept override { return 0.1; }
  std::vector<std::string> metrics(std::span<const std::string> labels) const override;
  std::vector<std::string> labels(std::span<const Example> examples) const override;
  Sample encode(const Example& example, const Tokenizer& tokenizer, const EncodeOptions& options,
                const HeadConfig& head) const override;
  Answer answer(const Example& example, const Sample& sample, std::span<const Matrix> scores,
                const HeadConfig& head, const AnswerOptions& options = {}) const override;
  std::unique_ptr<Scorer> scorer(const HeadConfig& head) const override;

  /// A unit of an example as a report shows it.
  virtual std::string shown(const Example& example, std::size_t unit) const = 0;

  /// Whether answers are scored by whole entities too.
  virtual bool marks_entities(std::span<const std::string>) const { return false; }

 protected:
  /// The texts, picks and units of an example.
  virtual Sample encode_input(const Example& example, const Tokenizer& tokenizer,
                              const EncodeOptions& options) const = 0;

  /// The same without what a model does not read: offsets and word ids.
  Sample encode_bare(const Example& example, const Tokenizer& tokenizer,
                     const EncodeOptions& options) const;
};

}  // namespace fnet
