#include "train/linear_fit.h"

#include <algorithm>
#include <cmath>
#include <deque>
#include <numeric>

#include "train/ops.h"

namespace fnet {
namespace {

using Vector = std::vector<double>;

/// Pairs of steps and gradients that L-BFGS remembers.
constexpr std::size_t kMemory = 6;
/// The texts are summed in so many parts, one after the other, whoever makes them: at most, and one
/// for each so many products.
constexpr std::size_t kMostParts = 8, kPartProducts = std::size_t{1} << 20;

double dot(const Vector& a, const Vector& b) {
  return std::transform_reduce(a.begin(), a.end(), b.begin(), 0.0);
}

void add(Vector& to, double factor, const Vector& of) {
  for (std::size_t i = 0; i < to.size(); ++i) to[i] += factor * of[i];
}

double logistic(double x) { return 1 / (1 + std::exp(-x)); }

/// ln(1 + e^x)
double softplus(double x) { return std::max(x, 0.0) + std::log1p(std::exp(-std::abs(x))); }

/// The loss as a function of x: weight [F, C], then bias [C].
class Problem {
 public:
  Problem(const Bags& texts, std::size_t features, const LinearTargets& targets,
          const LinearFitOptions& options)
      : texts_(texts), features_(features), targets_(targets), options_(options) {
    c_ = options.c > 0 ? options.c : usual_c(targets.loss);
    const std::size_t products = texts.ids.size() * targets.scores;
    sums_.resize(std::clamp<std::size_t>(products / kPartProducts, 1, kMostParts));
    for (Sum& sum : sums_) sum.gradient.resize(size());
  }

  std::size_t size() const { return (features_ + 1) * targets_.scores; }

  /// The loss at x, over c; its gradient goes to `gradient`.
  double operator()(const Vector& x, Vector& gradient) {
    const Split split{texts_.offsets.size() - 1, sums_.size()};
    ops::pool().run(sums_.size(), [&](std::size_t part, int /*thread*/) {
      add_up(x, split.begin(part), split.begin(part + 1), sums_[part]);
    });
    const std::size_t bias = features_ * targets_.scores;
    double loss = 0;
    for (std::size_t i = 0; i < bias; ++i) {
      loss += x[i] * x[i];
      gradient[i] = x[i] / c_;
    }
    loss *= 0.5 / c_;
    std::fill(gradient.begin() + static_cast<std::ptrdiff_t>(bias), gradient.end(), 0.0);
    for (const Sum& sum : sums_) loss += sum.loss, add(gradient, 1, sum.gradient);
    return loss;
  }

 private:
  /// Of some of the texts, without what counts against the weights.
  struct Sum {
    double loss = 0;
    Vector gradient;
  };

  void add_up(const Vector& x, std::size_t first, std::size_t last, Sum& sum) const {
    const std::size_t width = targets_.scores, bias = features_ * width;
    sum.loss = 0;
    std::ranges::fill(sum.gradient, 0.0);
    Vector scores(width);
    for (std::size_t i = first; i < last; ++i) {
      std::copy_n(x.begin() + static_cast<std::ptrdiff_t>(bias), width, scores.begin());
      for_each_entry(i, [&](std::size_t row, double value) {
        for (std::size_t k = 0; k < width; ++k) scores[k] += value * x[row + k];
      });
      sum.loss += targets_.loss == Loss::cross_entropy ? of_class(i, scores) : of_values(i, scores);
      for_each_entry(i, [&](std::size_t row, double value) {
        for (std::size_t k = 0; k < width; ++k) sum.gradient[row + k] += value * scores[k];
      });
      for (std::size_t k = 0; k < width; ++k) sum.gradient[bias + k] += scores[k];
    }
  }

  /// The loss of a text, whose gradient takes its scores' place.
  double of_class(std::size_t text, Vector& scores) const {
    const auto target = static_cast<std::size_t>(targets_.classes[text]);
    const double weight = options_.class_weights.empty() ? 1 : options_.class_weights[target];
    const double top = std::ranges::max(scores), own = scores[target];
    double sum = 0;
    for (double& s : scores) sum += s = std::exp(s - top);
    for (double& s : scores) s *= weight / sum;
    scores[target] -= weight;
    return weight * (std::log(sum) + top - own);
  }

  double of_values(std::size_t text, Vector& scores) const {
    double loss = 0;
    for (std::size_t k = 0; k < scores.size(); ++k) {
      const double score = scores[k], value = double{targets_.values[text * scores.size() + k]};
      if (targets_.loss == Loss::squared_error) {
        scores[k] = score - value;
        loss += 0.5 * scores[k] * scores[k];
      } else {
        scores[k] = logistic(score) - value;
        loss += softplus(score) - value * score;
      }
    }
    return loss;
  }

  /// Calls use(where the row begins in x, value).
  void for_each_entry(std::size_t text, auto&& use) const {
    for (auto e = static_cast<std::size_t>(texts_.offsets[text]);
         e < static_cast<std::size_t>(texts_.offsets[text + 1]); ++e) {
      use(static_cast<std::size_t>(texts_.ids[e]) * targets_.scores,
          static_cast<double>(texts_.values[e]));
    }
  }

  const Bags& texts_;
  std::size_t features_;
  const LinearTargets& targets_;
  const LinearFitOptions& options_;
  double c_;
  std::vector<Sum> sums_;
};

/// What the last steps tell of the curvature.
class History {
 public:
  void remember(Vector step, Vector change) {
    const double product = dot(step, change);
    if (product <= 1e-12 * dot(change, change)) return;
    if (pairs_.size() == kMemory) pairs_.pop_front();
    pairs_.push_back({std::move(step), std::move(change), product});
  }

  /// The gradient times the estimated inverse curvature, negative: where to go.
  Vector direction(const Vector& gradient) const {
    Vector d = gradient, shares(pairs_.size());
    for (std::size_t i = pairs_.size(); i-- > 0;) {
      shares[i] = dot(pairs_[i].step, d) / pairs_[i].product;
      add(d, -shares[i], pairs_[i].change);
    }
    if (!pairs_.empty()) {
      const Pair& last = pairs_.back();
      const double scale = last.product / dot(last.change, last.change);
      for (double& v : d) v *= scale;
    }
    for (std::size_t i = 0; i < pairs_.size(); ++i) {
      add(d, shares[i] - dot(pairs_[i].change, d) / pairs_[i].product, pairs_[i].step);
    }
    for (double& v : d) v = -v;
    return d;
  }

  bool empty() const { return pairs_.empty(); }

 private:
  struct Pair {
    Vector step, change;
    double product;
  };
  std::deque<Pair> pairs_;
};

}  // namespace

double usual_c(Loss loss) { return loss == Loss::squared_error ? 1 : 10; }

LinearTargets targets_of(Loss loss, std::size_t scores, std::span<const Sample> samples) {
  LinearTargets targets{.loss = loss, .scores = scores};
  for (const Sample& sample : samples) {
    std::ranges::copy(sample.targets, std::back_inserter(targets.classes));
    std::ranges::copy(sample.values, std::back_inserter(targets.values));
  }
  return targets;
}

LinearFit fit_linear(const Bags& texts, std::size_t features, const LinearTargets& targets,
                     const LinearFitOptions& options) {
  Problem loss(texts, features, targets, options);
  Vector x(loss.size()), gradient(loss.size());
  double value = loss(x, gradient);
  const double enough = options.tolerance * std::sqrt(dot(gradient, gradient));
  History history;
  for (int step = 0; step < options.most_steps; ++step) {
    const double norm = std::sqrt(dot(gradient, gradient));
    if (norm <= enough) break;
    const Vector direction = history.direction(gradient);
    const double slope = dot(direction, gradient);
    double length = history.empty() ? 1 / norm : 1;
    Vector next, next_gradient(loss.size());
    double next_value = 0;
    bool lower = false;
    for (int tries = 0; tries < 30 && !lower; ++tries, length /= 2) {
      next = x;
      add(next, length, direction);
      next_value = loss(next, next_gradient);
      lower = next_value <= value + 1e-4 * length * slope;
    }
    if (!lower) break;  // as low as float64 tells
    Vector moved = next, change = next_gradient;
    add(moved, -1, x), add(change, -1, gradient);
    history.remember(std::move(moved), std::move(change));
    x = std::move(next), gradient = std::move(next_gradient), value = next_value;
  }
  LinearFit fit;
  const auto bias = static_cast<std::ptrdiff_t>(features * targets.scores);
  fit.weight.assign(x.begin(), x.begin() + bias);
  fit.bias.assign(x.begin() + bias, x.end());
  return fit;
}

}  // namespace fnet
