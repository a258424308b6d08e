#pragma once

#include "tasks/text_classification.h"

namespace fnet {

/// Whether the second text of a pair follows the first: as in Hugging Face's models, class 0 if it
/// does, class 1 if not.
class NextSentenceTask final : public TextClassificationTask {
 public:
  using TextClassificationTask::TextClassificationTask;

  /// Throws: input unless the head has two classes.
  const Task& for_head(const HeadConfig& head) const override;
  const Task& for_examples(std::span<Example>) const override { return *this; }
  double label_smoothing() const noexcept override { return 0; }
  double token_dropout() const noexcept override { return 0; }
  std::vector<std::string> metrics(std::span<const std::string> labels) const override;
  Reading reading(const Columns& columns, bool labelled) const override;
  std::vector<std::string> labels(std::span<const Example> examples) const override;
  Sample encode(const Example& example, const Tokenizer& tokenizer, const EncodeOptions& options,
                const HeadConfig& head) const override;
};

}  // namespace fnet
