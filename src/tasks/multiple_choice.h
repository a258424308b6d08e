#pragma once

#include "tasks/task.h"

namespace fnet {

/// Which of several texts goes on from a first one, or answers it: the model scores each with the
/// first text before it. An example's texts are that one and the choices; its truth the number of
/// the right choice, from 0.
class MultipleChoiceTask final : public Task {
 public:
  using Task::Task;

  bool reads_words() const noexcept override { return false; }
  std::string_view unit() const noexcept override { return "choices"; }
  Loss loss() const noexcept override { return Loss::row_cross_entropy; }
  std::vector<std::string> metrics(std::span<const std::string> labels) const override;
  /// Records of our own names, and of SWAG, HellaSwag, ARC, OpenBookQA, CommonsenseQA, RACE, COPA
  /// and PIQA as Hugging Face has them.
  Reading reading(const Columns& columns, bool labelled) const override;
  std::vector<std::string> labels(std::span<const Example> examples) const override;
  /// A text of the model for each choice.
  Sample encode(const Example& example, const Tokenizer& tokenizer, const EncodeOptions& options,
                const HeadConfig& head) const override;
  /// The choices' numbers.
  Answer answer(const Example& example, const Sample& sample, std::span<const Matrix> scores,
                const HeadConfig& head, const AnswerOptions& options = {}) const override;
  std::string tsv(const Example& example, const Answer& answer) const override;
  std::string json(const Example& example, const Answer& answer) const override;
  std::unique_ptr<Scorer> scorer(const HeadConfig& head) const override;
};

}  // namespace fnet
