#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/error.h"
#include "fnet/config.h"
#include "fnet/tokenizer.h"
#include "fnet/types.h"
#include "tasks/evaluation.h"
#include "tasks/example.h"

namespace fnet {

/// An example ready for a model. A unit is what gets an answer of its own: a text, or each word.
struct Sample {
  std::vector<Encoding> texts;  ///< what the model reads; without offsets and word ids
  bool windows = false;         ///< the texts are windows of one, whose scores are their mean
  /// Rows of each text that the head scores; empty for a head that gives one row a text.
  std::vector<std::vector<std::int32_t>> picks;
  /// Which row of the scores, counted over all texts, answers each unit; -1: truncation cut it off.
  std::vector<std::int32_t> units;
  /// What the loss compares, unit after unit, in the one or the other; empty where the example has
  /// no truth.
  std::vector<std::int32_t> targets;
  std::vector<float> values;

  /// Rows of the scores of a text.
  std::size_t rows(std::size_t text) const { return picks.empty() ? 1 : picks[text].size(); }

  /// Rows of the scores of all texts.
  std::size_t rows() const {
    std::size_t sum = 0;
    for (std::size_t text = 0; text < texts.size(); ++text) sum += rows(text);
    return sum;
  }
};

/// For each unit its answers, best first; none where truncation cut the unit off, or where none of
/// several labels fits.
using Answer = std::vector<std::vector<Prediction>>;

/// Which answers of a unit are given.
struct AnswerOptions {
  std::size_t top_k = 0;   ///< the best so many; 0: the one, or the labels from `threshold` on
  float threshold = 0.5F;  ///< probability from which a text has a label, where it may have several
  std::size_t max_answer_length = 30;  ///< tokens of an answer to a question
  float null_threshold =
      0;  ///< a question has no answer where that scores more than so much better
  const Tokenizer* tokenizer = nullptr;  ///< of a task that answers with tokens: the model's
};

/// How far scores are from targets: a mean over the units that were not cut off.
enum class Loss : std::uint8_t {
  cross_entropy,         ///< of softmax over a unit's classes; targets [U]: its class
  binary_cross_entropy,  ///< of the sigmoid of each class; values [U, C]: 0 or 1
  squared_error,         ///< of each score; values [U, C]
  /// Of softmax over a unit's rows, in each column; the rows end where the next unit's begin.
  /// Targets [U, C]: the right row, counted from the unit's first.
  row_cross_entropy,
  /// Of a unit's rows, each a vector. Values [U]: how near the cosine of the first two is to them,
  /// squared; without values: of softmax over the cosines with all units' further rows, its own
  /// next one the right one.
  similarity,
};

/// A text as a model reads it: without what only its task needs to know, offsets and word ids.
inline Encoding without_places(Encoding text) {
  text.offsets = {}, text.word_ids = {};
  return text;
}

/// A task: what it reads from a record, how that is encoded, how scores become answers, and how
/// answers are written and scored. Training and inference loop over this; neither knows a task by
/// name. Immutable.
class Task {
 public:
  explicit Task(std::string_view name) : name_(name) {}
  virtual ~Task() = default;
  Task(const Task&) = delete;
  Task& operator=(const Task&) = delete;

  /// As in a row of kinds.def.
  std::string_view name() const noexcept { return name_; }

  /// The task of a head, where there are several by its problem type; without labels, for data that
  /// are yet to be read. Throws: input where the task and the head do not fit.
  virtual const Task& for_head(const HeadConfig& head) const;

  /// The task that the examples' truth asks for, where there are several; the truth becomes what
  /// that task's own reading makes of it. Throws: input where it fits none.
  virtual const Task& for_examples(std::span<Example>) const { return *this; }

  /// What the config says of the problem; empty: nothing.
  virtual std::string_view problem_type() const noexcept { return {}; }

  /// Sets what else a config says of such examples, beside its task and labels.
  virtual void configure(Config&, std::span<const Example>) const {}

  /// Whether an example has words in place of texts.
  virtual bool reads_words() const noexcept = 0;

  /// What gets an answer: "texts", "words", "questions", "masks".
  virtual std::string_view unit() const noexcept { return reads_words() ? "words" : "texts"; }

  /// Whether a text that is longer than the model reads is read in windows, and not cut.
  virtual bool reads_windows() const noexcept { return false; }

  virtual Loss loss() const noexcept = 0;

  /// Whether the truth of a unit is among labels.
  bool has_classes() const noexcept {
    return loss() == Loss::cross_entropy || loss() == Loss::binary_cross_entropy;
  }

  /// Share of the target that is spread over all classes, where training's options name none.
  virtual double label_smoothing() const noexcept { return 0; }

  /// Share of the input tokens that training replaces by [MASK], where its options name none.
  virtual double token_dropout() const noexcept { return 0; }

  /// Names of the metrics that may choose the best model, the default first. Without labels: all
  /// that there may be.
  virtual std::vector<std::string> metrics(std::span<const std::string> labels) const = 0;

  /// Those of them that an evaluation on such examples has, the default first.
  virtual std::vector<std::string> metrics_on(std::span<const Example>,
                                              std::span<const std::string> labels) const {
    return metrics(labels);
  }

  /// What the values of training data are divided by before the loss compares them.
  virtual float value_scale(std::span<const Sample>) const { return 1; }

  /// What it takes from records; `labelled`: with the truth.
  virtual Reading reading(const Columns& columns, bool labelled) const = 0;

  /// The labels of a head for such examples. Throws: input where they are too few.
  virtual std::vector<std::string> labels(std::span<const Example> examples) const = 0;

  /// Throws: input where the example's truth is not in the head's labels, or a text is bad.
  virtual Sample encode(const Example& example, const Tokenizer& tokenizer,
                        const EncodeOptions& options, const HeadConfig& head) const = 0;

  /// The same for training with a unit for each token of a word, which has the word's label:
  /// Hugging Face's label_all_tokens. Throws: usage where the task reads no words.
  virtual Sample encode_all_tokens(const Example&, const Tokenizer&, const EncodeOptions&,
                                   const HeadConfig&) const {
    fail(Kind::usage, "label_all_tokens: expected token-classification, found {}", name());
  }

  /// The answers of each unit, by the scores of the sample's texts. Throws: usage where the options
  /// do not fit the task.
  virtual Answer answer(const Example& example, const Sample& sample,
                        std::span<const Matrix> scores, const HeadConfig& head,
                        const AnswerOptions& options = {}) const = 0;

  /// An answer as lines of tab-separated values, and as one line of JSON.
  virtual std::string tsv(const Example& example, const Answer& answer) const = 0;
  virtual std::string json(const Example& example, const Answer& answer) const = 0;

  /// Counts answers for an Evaluation. The task must outlive it.
  virtual std::unique_ptr<Scorer> scorer(const HeadConfig& head) const = 0;

 private:
  std::string_view name_;
};

/// The task of this name. Throws: usage.
const Task& find_task(std::string_view name);

/// A head's task, `encoder` too, and problem type, by any name that people have for it: the Keras
/// seed's, `NER`, `sentiment_analysis`. A problem type that is given must not differ from the
/// name's. Throws: usage, with what to use in place of a task that no head here has.
HeadConfig head_for_task(std::string_view name, std::string_view problem_type = {});

/// The task of a head. Throws: as Task::for_head.
inline const Task& task_of(const HeadConfig& head) { return find_task(head.task).for_head(head); }

}  // namespace fnet
