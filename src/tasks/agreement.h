#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <utility>

namespace fnet {

/// How often two raters give the same answer to the same question.
class Agreement {
 public:
  void add(const std::string& a, const std::string& b);

  std::size_t count() const noexcept { return count_; }

  /// The share of equal answers; 0 without any.
  double share() const;

  /// Cohen's kappa: the agreement beyond what the raters' own frequencies of answers give by
  /// chance, of the most that there may be. Not a number where both always give the one same
  /// answer. Source: Cohen 1960; as scikit-learn's cohen_kappa_score.
  double kappa() const;

 private:
  std::map<std::string, std::pair<std::size_t, std::size_t>> answers_;  // by a, by b
  std::size_t count_ = 0, same_ = 0;
};

/// The probability that, of a + b fair throws, one side comes up at most min(a, b) or at least
/// max(a, b) times: the two-sided sign test, of paired answers McNemar's exact test.
double sign_test(std::size_t a, std::size_t b);

}  // namespace fnet
