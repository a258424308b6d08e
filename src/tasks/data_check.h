#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "tasks/example.h"

namespace fnet {

/// How some counts are spread.
struct Spread {
  std::size_t least = 0, median = 0, p95 = 0, most = 0;

  explicit Spread(std::vector<std::size_t> counts);
  Spread() = default;
};

/// What stands in labelled data, and what of it would hurt a training.
struct DataCheck {
  /// Two examples of the same text: lines of their files.
  struct Same {
    std::size_t first = 0, second = 0;
    std::string text;
  };
  /// Of how many there are, the first few.
  struct Found {
    std::size_t count = 0;
    std::vector<Same> some;
  };

  std::size_t examples = 0, units = 0;        ///< units: texts, or words with a tag
  std::map<std::string, std::size_t> labels;  ///< how many units have each
  Spread bytes, words;                        ///< of an example
  std::vector<std::size_t> empty;             ///< lines of examples of white space alone
  Found duplicates;  ///< examples whose text and labels stand in an earlier one
  Found conflicts;   ///< examples whose text stands in an earlier one with other labels
  std::size_t dev_examples = 0;
  Found shared;                             ///< dev examples whose text stands in the training data
  std::vector<std::string> dev_only;        ///< labels of dev that the training data lack
  std::vector<std::string> missing_in_dev;  ///< labels that dev lacks
};

/// Looks at training data and, perhaps, dev data. Texts are compared without white space at their
/// ends.
DataCheck check_data(std::span<const Example> train, std::span<const Example> dev = {});

}  // namespace fnet
