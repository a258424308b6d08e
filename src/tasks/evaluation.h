#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "fnet/types.h"
#include "tasks/metrics.h"

namespace fnet {

struct Example;
struct Sample;

/// A wrong answer, for a report.
struct Mistake {
  std::size_t line = 0;  ///< in the data file
  std::string text;      ///< the text, or the word in its sentence
  std::string truth, answer;
  float score = 0;
};

/// A text of which a model had to tell some tokens, in parts: each ends with such a token, but for
/// the last.
struct FilledText {
  struct Part {
    std::string text;           ///< before the token
    std::string truth, answer;  ///< empty in the last part
    float score = 0;            ///< of the answer
  };
  std::vector<Part> parts;
};

/// How well a model answers. Of classes, a unit that truncation cut off has no answer and counts as
/// wrong: in `report` its prediction is a class of its own, among entities it is no part of one.
struct Evaluation {
  std::string unit;                                     ///< what is counted: Task::unit()
  std::size_t count = 0;                                ///< how many
  double loss = 0;                                      ///< where it was computed
  std::vector<std::pair<std::string, double>> metrics;  ///< by name
  std::optional<ClassificationReport> report;           ///< where each unit has one class
  std::vector<ClassScore> labels;                       ///< where a unit has several: each label
  std::optional<EntityReport> entities;                 ///< where labels mark entities
  std::vector<Mistake> worst;                           ///< wrong with most confidence first
  std::size_t cut_off = 0;                              ///< units that truncation cut off
  std::string head;                                     ///< of one among `heads`: its name
  std::vector<Evaluation> heads;                        ///< of several tasks: each one's
  std::vector<FilledText> filled;                       ///< of a masked language model: some texts

  /// Throws: usage where there is none of this name.
  double metric(std::string_view name) const;
};

/// Counts answers: the one way in which training and `evaluate` score.
class Scorer {
 public:
  virtual ~Scorer() = default;
  /// An example with its truth, and the scores of its texts.
  virtual void add(const Example& example, const Sample& sample,
                   std::span<const Matrix> scores) = 0;
  /// The result, once all are added.
  virtual Evaluation finish() = 0;
};

/// An evaluation as tables, and as one JSON object: what `fnet evaluate` prints. By whole entities
/// where labels mark entities, else by units.
std::string evaluation_text(const Evaluation& evaluation);
std::string evaluation_json(const Evaluation& evaluation);

}  // namespace fnet
