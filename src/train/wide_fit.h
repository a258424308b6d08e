#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "core/bags.h"

namespace fnet {

/// The linear map of a wide head.
struct WideFit {
  std::vector<float> weight;  ///< [F, C]
  std::vector<float> bias;    ///< [C]
};

struct WideFitOptions {
  double c = 10;                               ///< how much the data counts against ½ ‖weight‖²
  std::span<const double> class_weights = {};  ///< [C]; empty: all alike
  double tolerance = 1e-3;                     ///< of the gradient's norm, as a share of its first
  int most_steps = 200;
};

/// Multinomial logistic regression: the minimum of c · Σ cross-entropy + ½ ‖weight‖² by L-BFGS on
/// one thread, in float64. The problem is convex, so the answer does not depend on the way there.
/// `targets` [B]: classes in [0, classes). Source: Nocedal & Wright 2006, algorithm 7.5;
/// scikit-learn's LogisticRegression has the same minimum.
WideFit fit_wide(const Bags& texts, std::size_t features, std::span<const std::int32_t> targets,
                 std::size_t classes, const WideFitOptions& options = {});

}  // namespace fnet
