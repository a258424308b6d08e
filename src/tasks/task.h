#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "fnet/tokenizer.h"
#include "fnet/types.h"
#include "tasks/evaluation.h"
#include "tasks/example.h"

namespace fnet {

/// An example ready for a model. A unit is what gets an answer of its own: a text, or each word.
struct Sample {
  std::vector<Encoding> texts;  ///< what the model reads; without offsets and word ids
  /// Rows of each text that the head scores; empty for a head that gives one row a text.
  std::vector<std::vector<std::int32_t>> picks;
  /// Which row of the scores, counted over all texts, answers each unit; -1: truncation cut it off.
  std::vector<std::int32_t> units;
  std::vector<std::int32_t> targets;  ///< each unit's class; empty where the example has no truth

  /// Rows of the scores of a text.
  std::size_t rows(std::size_t text) const { return picks.empty() ? 1 : picks[text].size(); }
};

/// For each unit its best labels, best first; none where truncation cut the unit off.
using Answer = std::vector<std::vector<Prediction>>;

/// How far scores are from targets.
enum class Loss {
  cross_entropy,  ///< of softmax over the classes, a mean over the units that were not cut off
};

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

  /// Whether an example has words in place of texts.
  virtual bool reads_words() const noexcept = 0;

  virtual Loss loss() const noexcept = 0;

  /// Share of the input tokens that training replaces by [MASK], where its options name none.
  virtual double token_dropout() const noexcept = 0;

  /// Names of the metrics that may choose the best model, the default first. Without labels: all
  /// that there may be.
  virtual std::vector<std::string> metrics(std::span<const std::string> labels) const = 0;

  /// What it takes from records; `labelled`: with the truth.
  virtual Reading reading(const Columns& columns, bool labelled) const = 0;

  /// Labels of the examples, each once: sorted as numbers where all are whole numbers, else by
  /// name.
  virtual std::vector<std::string> labels(std::span<const Example> examples) const = 0;

  /// Throws: input where the example has a label that is not in `labels`, or a bad text.
  virtual Sample encode(const Example& example, const Tokenizer& tokenizer,
                        const EncodeOptions& options,
                        std::span<const std::string> labels) const = 0;

  /// The `top_k` best labels of each unit, by the scores of the sample's texts.
  virtual Answer answer(std::span<const Matrix> scores, const Sample& sample,
                        std::span<const std::string> labels, std::size_t top_k = 1) const = 0;

  /// An answer as lines of tab-separated values, and as one line of JSON.
  virtual std::string tsv(const Example& example, const Answer& answer) const = 0;
  virtual std::string json(const Example& example, const Answer& answer) const = 0;

  /// Counts answers for an Evaluation. The task must outlive it.
  virtual std::unique_ptr<Scorer> scorer(std::span<const std::string> labels) const = 0;

 private:
  std::string_view name_;
};

/// The task of this name. Throws: usage.
const Task& find_task(std::string_view name);

}  // namespace fnet
