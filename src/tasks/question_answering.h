#pragma once

#include "tasks/task.h"

namespace fnet {

/// Where in a context the answer to a question stands, as SQuAD asks it: the model reads question
/// and context together, a long context in windows that overlap.
class QuestionAnsweringTask final : public Task {
 public:
  using Task::Task;

  /// Throws: input unless the head scores begin and end.
  const Task& for_head(const HeadConfig& head) const override;
  /// Examples without an answer make `no_answer` true.
  void configure(Config& config, std::span<const Example> examples) const override;
  bool reads_words() const noexcept override { return false; }
  bool reads_windows() const noexcept override { return true; }
  std::string_view unit() const noexcept override { return "questions"; }
  Loss loss() const noexcept override { return Loss::row_cross_entropy; }
  std::vector<std::string> metrics(std::span<const std::string> labels) const override;
  Reading reading(const Columns& columns, bool labelled) const override;
  std::vector<std::string> labels(std::span<const Example> examples) const override;
  /// A text, and a unit, for each window; its rows are its tokens.
  Sample encode(const Example& example, const Tokenizer& tokenizer, const EncodeOptions& options,
                const HeadConfig& head) const override;
  /// One list of answers. Where the head may find none, that one has an empty text.
  Answer answer(const Example& example, const Sample& sample, std::span<const Matrix> scores,
                const HeadConfig& head, const AnswerOptions& options = {}) const override;
  std::string tsv(const Example& example, const Answer& answer) const override;
  std::string json(const Example& example, const Answer& answer) const override;
  std::unique_ptr<Scorer> scorer(const HeadConfig& head) const override;
};

}  // namespace fnet
