#pragma once

#include "tasks/task.h"

namespace fnet {

/// How alike two texts are: the cosine of the vectors that stand for them, or the sum of products
/// where the head's option says so. It is learned from pairs
/// with a score, or from pairs that belong together, each against the others of its batch.
class SentenceSimilarityTask final : public Task {
 public:
  using Task::Task;

  /// Throws: input unless all of them have a score, or none.
  const Task& for_examples(std::span<Example> examples) const override;
  bool reads_words() const noexcept override { return false; }
  std::string_view unit() const noexcept override { return "pairs"; }
  Loss loss() const noexcept override { return Loss::similarity; }
  std::vector<std::string> metrics(std::span<const std::string> labels) const override;
  /// Correlations of pairs with a score, else how well texts find their partners.
  std::vector<std::string> metrics_on(std::span<const Example> examples,
                                      std::span<const std::string> labels) const override;
  /// The largest score, where one is beyond -1 … 1.
  float value_scale(std::span<const Sample> samples) const override;
  /// Two texts, perhaps a score, and of those without one perhaps a third text, a wrong partner.
  Reading reading(const Columns& columns, bool labelled) const override;
  std::vector<std::string> labels(std::span<const Example> examples) const override;
  /// Each text by itself.
  Sample encode(const Example& example, const Tokenizer& tokenizer, const EncodeOptions& options,
                const HeadConfig& head) const override;
  Answer answer(const Example& example, const Sample& sample, std::span<const Matrix> scores,
                const HeadConfig& head, const AnswerOptions& options = {}) const override;
  std::string tsv(const Example& example, const Answer& answer) const override;
  std::string json(const Example& example, const Answer& answer) const override;
  std::unique_ptr<Scorer> scorer(const HeadConfig& head) const override;
};

}  // namespace fnet
