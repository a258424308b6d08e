#include "tasks/agreement.h"

#include <algorithm>
#include <cmath>

namespace fnet {

void Agreement::add(const std::string& a, const std::string& b) {
  ++answers_[a].first;
  ++answers_[b].second;
  ++count_;
  same_ += a == b;
}

double Agreement::share() const {
  return count_ == 0 ? 0 : static_cast<double>(same_) / static_cast<double>(count_);
}

double Agreement::kappa() const {
  const auto all = static_cast<double>(count_);
  double chance = 0;
  for (const auto& [answer, counts] : answers_) {
    chance += static_cast<double>(counts.first) / all * (static_cast<double>(counts.second) / all);
  }
  return (share() - chance) / (1 - chance);
}

double sign_test(std::size_t a, std::size_t b) {
  const auto n = static_cast<double>(a + b);
  const std::size_t few = std::min(a, b);
  double tail = 0;
  for (std::size_t k = 0; k <= few; ++k) {
    const auto i = static_cast<double>(k);
    tail += std::exp(std::lgamma(n + 1) - std::lgamma(i + 1) - std::lgamma(n - i + 1) -
                     n * std::log(2.0));
  }
  return std::min(1.0, 2 * tail);
}

}  // namespace fnet
