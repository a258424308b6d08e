#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "cli/stream.h"
#include "fnet/engine.h"
#include "tasks/agreement.h"
#include "tasks/task.h"

// Two models on the same examples: what `fnet compare` counts.
namespace fnet::cli {

/// One of the two models.
struct Side {
  std::string name;
  std::filesystem::path directory;
  Engine engine;
  double seconds = 0;  ///< in passes over `tokens`
  std::size_t tokens = 0;
  std::unique_ptr<Scorer> scorer = {};  ///< where the examples have labels

  double tokens_per_second() const {
    return seconds > 0 ? static_cast<double>(tokens) / seconds : 0;
  }
};
using Sides = std::array<Side, 2>;

/// An answer, or a text's vectors, that differ.
struct Difference {
  std::size_t line = 0;
  std::string truth = {};                   ///< empty where it is not known
  std::array<std::string, 2> answers = {};  ///< empty of vectors
  std::array<double, 2> scores = {};        ///< of vectors the cosine of both, twice
  std::string text;
  double distance = 0;  ///< how much is in it: orders a list
};

/// Those with the most distance.
class Differences {
 public:
  /// Keeps so many.
  explicit Differences(std::size_t most) : most_(most) {}

  void add(Difference difference);
  std::size_t count() const noexcept { return count_; }  ///< of all that were added
  std::span<const Difference> sorted();                  ///< those kept, most distance first

 private:
  void keep();
  std::size_t most_, count_ = 0;
  std::vector<Difference> kept_;
};

/// What comes of a comparison, beside each model's own figures.
struct Findings {
  explicit Findings(std::size_t most_differences) : differences(most_differences) {}

  bool of_answers = true;  ///< else of vectors
  std::string unit;        ///< what has answers: Task::unit()
  std::size_t texts = 0;
  Agreement agreement;                   ///< of answers that are labels
  bool decided = false;                  ///< whether `only` was counted
  std::array<std::size_t, 2> only = {};  ///< units that one alone has right
  /// Of both: answers that are numbers, or the cosines of texts with those before them.
  std::vector<std::pair<float, float>> values;
  double cosine = 0, least_cosine = 1;  ///< of texts' two vectors: the mean, and the least
  Differences differences;
};

/// Answers of two models with heads for the same task; scored where the data have labels, which the
/// first record tells. Throws: input, usage.
Findings compare_answers(const InputFlags& input, Sides& sides, std::size_t most_differences);

/// Vectors of texts: both of a text beside each other, where they are of one size, and how alike
/// each text is to the one before it in the one model and in the other.
Findings compare_vectors(const InputFlags& input, Sides& sides, std::size_t most_differences);

}  // namespace fnet::cli
