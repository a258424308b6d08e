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
