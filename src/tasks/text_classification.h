#pragma once

#include "tasks/labelling.h"

namespace fnet {

/// A label for each text or pair of texts.
class TextClassificationTask : public LabellingTask {
 public:
  using LabellingTask::LabellingTask;

  bool reads_words() const noexcept override { return false; }
  double token_dropout() const noexcept override { return 0.4; }
  Reading reading(const Columns& columns, bool labelled) const override;
  std::string tsv(const Example& example, const Answer& answer) const override;
  std::string json(const Example& example, const Answer& answer) const override;
  std::string shown(const Example& example, std::size_t unit) const override;

 private:
  Sample encode_input(const Example& example, const Tokenizer& tokenizer,
                      const EncodeOptions& options) const override;
};

}  // namespace fnet
