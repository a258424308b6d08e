#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "fnet/tokenizer.h"
#include "text/data.h"
#include "text/metrics.h"

namespace fnet {

/// What makes one task differ from another for the trainer: how labels are read and how answers are
/// scored. The loss is cross-entropy over the scores' rows that have a truth.
struct TaskKind {
  std::string_view name;
  bool per_token;        ///< a label for each word, read at its first token; else one for the text
  double token_dropout;  ///< where the options name none
  std::vector<std::string_view> metrics;  ///< that may select the best epoch
};

/// The row of the table. Throws: usage.
const TaskKind& task_kind(std::string_view name);

/// A text ready to train on.
struct Sample {
  Encoding encoding;
  std::vector<std::int32_t> truth;  ///< its label, or one for each word
  std::vector<std::int32_t> rows;   ///< where each truth is scored: the token's row (0 for a text's
                                    ///< label), or -1 for a word that truncation dropped
  std::size_t example = 0;          ///< index of what it was made from
};

/// Labels of the examples, each once: sorted as numbers where all are whole numbers, else by name.
std::vector<std::string> labels_of(const TaskKind& task, std::span<const Example> examples);

/// Encodes examples. `source` stands for their file in messages.
/// Throws: input where an example has a label that is not in `labels`, or no text.
std::vector<Sample> make_samples(const TaskKind& task, std::span<const Example> examples,
                                 const Tokenizer& tokenizer, std::span<const std::string> labels,
                                 const EncodeOptions& options, const std::string& source);

/// A model's answer where there is a truth.
struct Answer {
  std::int32_t label = 0;
  float score = 0;  ///< its probability
};

/// A wrong answer, for the report.
struct Mistake {
  std::size_t line = 0;  ///< in the data file
  std::string text;      ///< the text, or the word in its sentence
  std::string truth, answer;
  float score = 0;
};

/// How well a model answers.
struct Evaluation {
  double loss = 0;
  std::vector<std::pair<std::string, double>> metrics;  ///< by name
  ClassificationReport report;                          ///< over texts or words
  std::vector<ClassScore> entities;                     ///< by type, where tags are of entities
  std::vector<Mistake> worst;                           ///< wrong with most confidence first

  /// Throws: usage where there is none of this name.
  double metric(std::string_view name) const;
};

/// Scores answers [samples][truths]. A word that truncation dropped counts as tagged `O`, or with
/// the first label where there is no `O`.
Evaluation evaluate_answers(const TaskKind& task, std::span<const Example> examples,
                            std::span<const Sample> samples,
                            const std::vector<std::vector<Answer>>& answers,
                            std::span<const std::string> labels);

/// Whether tags mark entities, as B-PER does.
bool tags_entities(std::span<const std::string> labels);

/// Batches of an epoch, as indices into the samples: a pure function of (seed, epoch, lengths),
/// with texts of like length together so that equal ones share a transform.
std::vector<std::vector<std::size_t>> make_batches(std::span<const Sample> samples,
                                                   std::int64_t batch_size, std::uint64_t seed,
                                                   std::int64_t epoch);

/// Weights [classes] under which each class has the same part in the loss: n / (classes · n_c), 0
/// for a class that does not occur. Source: scikit-learn's "balanced".
std::vector<double> balanced_weights(std::span<const Sample> samples, std::size_t classes);

/// A fingerprint of examples: texts, labels and their order.
std::uint64_t fingerprint(std::span<const Example> examples);

}  // namespace fnet
