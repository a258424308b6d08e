#pragma once

#include "tasks/labelling.h"

namespace fnet {

/// A label for each word, read at the word's first token.
class TokenClassificationTask final : public LabellingTask {
 public:
  using LabellingTask::LabellingTask;

  bool reads_words() const noexcept override { return true; }
  std::vector<std::string> metrics(std::span<const std::string> labels) const override;
  Reading reading(const Columns& columns, bool labelled) const override;
  /// Behind a word's first token, B-X becomes I-X where that is a label.
  Sample encode_all_tokens(const Example& example, const Tokenizer& tokenizer,
                           const EncodeOptions& options, const HeadConfig& head) const override;
  std::string tsv(const Example& example, const Answer& answer) const override;
  std::string json(const Example& example, const Answer& answer) const override;
  std::string shown(const Example& example, std::size_t unit) const override;
  /// Where each label is `O` or begins as B-PER does, in IOB1, IOB2, IOE, BIOES or BILOU.
  bool marks_entities(std::span<const std::string> labels) const override;

 private:
  Sample encode_input(const Example& example, const Tokenizer& tokenizer,
                      const EncodeOptions& options) const override;
};

}  // namespace fnet
