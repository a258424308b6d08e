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

/// A probability as JSON gets it: it has no more than six digits to tell.
double rounded(float score);

/// What tasks share that give each unit one of a set of labels.
class LabellingTask : public Task {
 public:
  using Task::Task;

  Loss loss() const noexcept override { return Loss::cross_entropy; }
  std::vector<std::string> metrics(std::span<const std::string> labels) const override;
  std::vector<std::string> labels(std::span<const Example> examples) const override;
  Sample encode(const Example& example, const Tokenizer& tokenizer, const EncodeOptions& options,
                std::span<const std::string> labels) const final;
  Answer answer(std::span<const Matrix> scores, const Sample& sample,
                std::span<const std::string> labels, std::size_t top_k) const final;
  std::unique_ptr<Scorer> scorer(std::span<const std::string> labels) const final;

  /// A unit of an example as a report shows it.
  virtual std::string shown(const Example& example, std::size_t unit) const = 0;

  /// Whether answers are scored by whole entities too.
  virtual bool marks_entities(std::span<const std::string>) const { return false; }

 private:
  /// The texts, picks and units of an example.
  virtual Sample encode_input(const Example& example, const Tokenizer& tokenizer,
                              const EncodeOptions& options) const = 0;
};

}  // namespace fnet
