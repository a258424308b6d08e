#pragma once

#include "tasks/labelling.h"

namespace fnet {

/// A label for each text or pair of texts. Other problem types have tasks of their own behind it.
class TextClassificationTask : public LabellingTask {
 public:
  using LabellingTask::LabellingTask;

  bool reads_words() const noexcept override { return false; }
  double token_dropout() const noexcept override { return 0.4; }
  /// By the problem type; without one, of one label it is a regression.
  const Task& for_head(const HeadConfig& head) const override;
  /// Several labels where an example has a list of them, a regression where all are numbers and not
  /// all of them whole.
  const Task& for_examples(std::span<Example> examples) const override;
  std::vector<std::string> metrics(std::span<const std::string> labels) const override;
  Reading reading(const Columns& columns, bool labelled) const override;
  std::string tsv(const Example& example, const Answer& answer) const override;
  std::string json(const Example& example, const Answer& answer) const override;
  std::string shown(const Example& example, std::size_t unit) const override;

 protected:
  Sample encode_input(const Example& example, const Tokenizer& tokenizer,
                      const EncodeOptions& options) const override;
};

}  // namespace fnet
