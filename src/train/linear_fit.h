#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "core/bags.h"
#include "tasks/task.h"

namespace fnet {

/// A linear map from a text's F features to C scores.
struct LinearFit {
  std::vector<float> weight;  ///< [F, C]
  std::vector<float> bias;    ///< [C]
};

/// What the scores [B, C] of texts are fitted to.
struct LinearTargets {
  Loss loss = Loss::cross_entropy;         ///< or binary_cross_entropy, squared_error
  std::size_t scores = 0;                  ///< C
  std::vector<std::int32_t> classes = {};  ///< of cross_entropy [B]: in [0, C)
  std::vector<float> values = {};          ///< of the others [B, C]
};

/// Those of samples with one unit each.
LinearTargets targets_of(Loss loss, std::size_t scores, std::span<const Sample> samples);

/// How much data usually count against ½ ‖weight‖²: 10, of squared_error 1.
double usual_c(Loss loss);

struct LinearFitOptions {
  double c = 0;                                ///< how much they do; 0: the usual
  std::span<const double> class_weights = {};  ///< [C] of cross_entropy; empty: all alike
  double tolerance = 1e-3;                     ///< of the gradient's norm, as a share of its first
  int most_steps = 200;
};

/// The minimum of c · Σ loss + ½ ‖weight‖², squared errors halved, by L-BFGS in float64. The
/// problem is convex, so the answer does not depend on the way there; its bits do not depend on the
/// number of threads. Source: Nocedal & Wright 2006, algorithm 7.5; scikit-learn's
/// LogisticRegression (multinomial, or one against the rest) and Ridge (alpha 1 / c) have the same
/// minimum.
LinearFit fit_linear(const Bags& texts, std::size_t features, const LinearTargets& targets,
                     const LinearFitOptions& options = {});

}  // namespace fnet
