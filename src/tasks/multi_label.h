#pragma once

#include "tasks/text_classification.h"

namespace fnet {

/// Any number of labels for each text. Hugging Face's problem type multi_label_classification.
class MultiLabelTask final : public TextClassificationTask {
 public:
  using TextClassificationTask::TextClassificationTask;

  /// Labels that are one text, parted by commas, become a list. Throws: input where one is empty.
  static void split(Example& example);

  const Task& for_head(const HeadConfig&) const override { return *this; }
  const Task& for_examples(std::span<Example>) const override { return *this; }
  std::string_view problem_type() const noexcept override { return "multi_label_classification"; }
  Loss loss() const noexcept override { return Loss::binary_cross_entropy; }
  double label_smoothing() const noexcept override { return 0; }
  std::vector<std::string> metrics(std::span<const std::string> labels) const override;
  Reading reading(const Columns& columns, bool labelled) const override;
  std::vector<std::string> labels(std::span<const Example> examples) const override;
  Sample encode(const Example& example, const Tokenizer& tokenizer, const EncodeOptions& options,
                const HeadConfig& head) const override;
  Answer answer(const Example& example, const Sample& sample, std::span<const Matrix> scores,
                const HeadConfig& head, const AnswerOptions& options = {}) const override;
  std::string json(const Example& example, const Answer& answer) const override;
  std::unique_ptr<Scorer> scorer(const HeadConfig& head) const override;
};

}  // namespace fnet
