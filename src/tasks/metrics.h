#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace fnet {

/// Precision, recall and F1 of one class or entity type, in [0, 1]; 0 where a denominator is 0.
struct ClassScore {
  std::string name;
  double precision = 0, recall = 0, f1 = 0;
  std::size_t support = 0;  ///< how often it is the truth
};

/// Scores of a classification over C classes; as scikit-learn with zero_division = 0.
struct ClassificationReport {
  std::size_t count = 0;
  double accuracy = 0;
  double macro_f1 = 0;              ///< mean F1 over the classes that occur in truth or prediction
  double micro_f1 = 0;              ///< over all decisions; one label a text makes it the accuracy
  double mcc = 0;                   ///< Matthews correlation; Source: Gorodkin 2004
  std::vector<ClassScore> classes;  ///< [C], in the order of the names
  /// How often (truth, prediction) occurred; only what did, as C may be thousands.
  std::map<std::pair<std::size_t, std::size_t>, std::size_t> confusion;

  /// A cell of the confusion matrix [C, C].
  std::size_t confused(std::size_t truth, std::size_t prediction) const {
    const auto cell = confusion.find({truth, prediction});
    return cell == confusion.end() ? 0 : cell->second;
  }
};

/// Compares class indices in [0, names.size()). `truth` and `predicted` are equally long.
/// Throws: usage where they are not.
ClassificationReport classification_report(std::span<const std::int32_t> truth,
                                           std::span<const std::int32_t> predicted,
                                           std::span<const std::string> names);

/// Scores where a text has any number of C labels; as scikit-learn with zero_division = 0.
struct MultiLabelReport {
  std::size_t count = 0;       ///< texts
  double subset_accuracy = 0;  ///< texts with just the right labels
  double hamming_loss = 0;     ///< wrong decisions of all, a label and a text each
  double micro_precision = 0, micro_recall = 0, micro_f1 = 0;
  double macro_f1 = 0;              ///< mean F1 over all labels
  std::vector<ClassScore> classes;  ///< [C]
};

/// Counts a MultiLabelReport together.
class MultiLabelCounts {
 public:
  explicit MultiLabelCounts(std::size_t labels) : labels_(labels) {}

  /// Whether the text at hand has this label, and whether it was found.
  void add(std::size_t label, bool truth, bool predicted);
  void end_text();

  /// Throws: usage where there are not as many names as labels.
  MultiLabelReport report(std::span<const std::string> names) const;

 private:
  struct Count {
    std::size_t correct = 0, predicted = 0, support = 0;
  };
  std::vector<Count> labels_;
  std::size_t texts_ = 0, right_texts_ = 0, wrong_ = 0;
  bool wrong_text_ = false;
};

/// Scores of numbers; as scipy and scikit-learn, but 0 where they are not defined.
struct RegressionReport {
  std::size_t count = 0;
  double pearson = 0, spearman = 0;  ///< correlation of the numbers, and of their ranks
  double r2 = 0;                     ///< coefficient of determination
  double rmse = 0, mae = 0;          ///< root of the mean squared, and mean absolute error
};

/// Compares (truth, prediction), whose order does not matter.
RegressionReport regression_report(std::vector<std::pair<float, float>> pairs);

/// Scores of a tagging, counted in whole entities; as seqeval's default mode.
struct EntityReport {
  double precision = 0, recall = 0, f1 = 0;  ///< over all entities (micro)
  double macro_f1 = 0;                       ///< mean over the entity types
  double token_accuracy = 0;
  std::size_t support = 0;          ///< entities in the truth
  std::vector<ClassScore> classes;  ///< by entity type, sorted by name
};

/// An entity: tokens [begin, end) of a sentence.
struct Entity {
  std::string type;
  std::size_t begin = 0, end = 0;
  auto operator<=>(const Entity&) const = default;  // NOLINT(modernize-use-nullptr): no 0 of ours
};

/// Entities of a sentence's tags (IOB1, IOB2, IOE, BIOES) by the rules of CoNLL's evaluation
/// script. Source: conlleval.pl, as seqeval's get_entities.
std::vector<Entity> entities(std::span<const std::string> tags);

/// Compares tag sequences sentence by sentence.
/// Throws: usage where the sentences or their lengths differ.
EntityReport entity_report(std::span<const std::vector<std::string>> truth,
                           std::span<const std::vector<std::string>> predicted);

}  // namespace fnet
