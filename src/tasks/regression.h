#pragma once

#include <optional>

#include "tasks/text_classification.h"

namespace fnet {

/// A number for each text. Hugging Face's problem type regression.
class RegressionTask final : public TextClassificationTask {
 public:
  using TextClassificationTask::TextClassificationTask;

  /// The finite number that a text is, or nothing.
  static std::optional<float> number(std::string_view text);

  const Task& for_head(const HeadConfig&) const override { return *this; }
  const Task& for_examples(std::span<Example>) const override { return *this; }
  std::string_view problem_type() const noexcept override { return "regression"; }
  Loss loss() const noexcept override { return Loss::squared_error; }
  double label_smoothing() const noexcept override { return 0; }
  std::vector<std::string> metrics(std::span<const std::string> labels) const override;
  std::vector<std::string> labels(std::span<const Example> examples) const override;
  Sample encode(const Example& example, const Tokenizer& tokenizer, const EncodeOptions& options,
                const HeadConfig& head) const override;
  Answer answer(const Example& example, const Sample& sample, std::span<const Matrix> scores,
                const HeadConfig& head, const AnswerOptions& options = {}) const override;
  std::string tsv(const Example& example, const Answer& answer) const override;
  std::string json(const Example& example, const Answer& answer) const override;
  std::unique_ptr<Scorer> scorer(const HeadConfig& head) const override;
};

}  // namespace fnet
