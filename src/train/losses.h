#pragma once

#include <torch/torch.h>

#include <cstdint>
#include <vector>

#include "fnet/similarity.h"
#include "tasks/task.h"

namespace fnet {

/// The scores of samples and what they are compared with.
struct Scored {
  at::Tensor logits;  ///< [S, C], text after text
  /// Of each unit that was not cut off: its first row, and the row behind its last.
  std::vector<std::int64_t> units, ends;
  std::vector<std::int64_t> targets;  ///< of these units, as in Sample
  std::vector<float> values;

  /// Takes over a sample whose rows begin at `first`.
  void add(const Sample& sample, std::int64_t first);

  /// How many terms the loss has: what a sum is divided by for the mean.
  std::int64_t terms() const {
    const std::size_t truths = targets.empty() ? values.size() : targets.size();
    return static_cast<std::int64_t>(truths > 0 ? truths : units.size());
  }
};

struct LossOptions {
  at::Reduction::Reduction reduction = at::Reduction::Mean;
  std::vector<double> class_weights;  ///< [C] of cross_entropy; empty: all alike
  double label_smoothing = 0;         ///< of cross_entropy and binary_cross_entropy
  /// Of similarity: so many first numbers of each vector are compared too, a loss each. Source:
  /// Kusupati et al. 2022, as sentence-transformers' MatryoshkaLoss with weights of 1.
  std::vector<std::int64_t> matryoshka_dims = {};
  Similarity similarity = Similarity::cosine;  ///< of similarity: how vectors are compared
};

/// The loss of scores, with its graph.
at::Tensor loss_of(Loss loss, const Scored& scored, const LossOptions& options);

}  // namespace fnet
