#pragma once

#include "tasks/task.h"

namespace fnet {

/// Which tokens fit each [MASK] of a text or pair of texts, a unit each. Masked language models
/// learn from texts without labels, so what asks for labelled ones is refused; train/pretrain.cpp
/// trains them.
class FillMaskTask final : public Task {
 public:
  using Task::Task;

  bool reads_words() const noexcept override { return false; }
  std::string_view unit() const noexcept override { return "masks"; }
  Loss loss() const noexcept override { return Loss::cross_entropy; }
  std::vector<std::string> metrics(std::span<const std::string> labels) const override;
  /// Throws: usage for `labelled`.
  Reading reading(const Columns& columns, bool labelled) const override;
  std::vector<std::string> labels(std::span<const Example> examples) const override;
  /// One text; its rows are its [MASK]. Throws: input where it has none.
  Sample encode(const Example& example, const Tokenizer& tokenizer, const EncodeOptions& options,
                const HeadConfig& head) const override;
  /// Of each [MASK] its tokens, as Hugging Face's pipeline gives them: `sequence` has the special
  /// tokens by name where there are several [MASK]. Throws: usage without a tokenizer.
  Answer answer(const Example& example, const Sample& sample, std::span<const Matrix> scores,
                const HeadConfig& head, const AnswerOptions& options = {}) const override;
  /// A line for each [MASK]: the text's line, then tokens and scores.
  std::string tsv(const Example& example, const Answer& answer) const override;
  std::string json(const Example& example, const Answer& answer) const override;
  std::unique_ptr<Scorer> scorer(const HeadConfig& head) const override;

 private:
  [[noreturn]] void refuse_labels() const;
};

}  // namespace fnet
