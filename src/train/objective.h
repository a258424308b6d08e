#pragma once

#include <torch/torch.h>

#include <cstdint>
#include <span>
#include <vector>

#include "tasks/task.h"

namespace fnet {

/// Some samples of a step: all of them, or those that one of several passes reads.
struct StepPart {
  std::int64_t step = 0;   ///< of the run, from 0
  std::int64_t first = 0;  ///< which of the step's samples is the part's first
  /// Of all of the step's samples; empty: the part is the whole step.
  std::span<const double> terms = {};

  StepPart(std::int64_t step_, std::int64_t first_ = 0,  // NOLINT: a step is a part of itself
           std::span<const double> terms_ = {})
      : step(step_), first(first_), terms(terms_) {}

  /// Where the part stands among those of a run, for random numbers: the step itself where it is
  /// the whole of it.
  std::uint64_t place() const {
    return static_cast<std::uint64_t>(step) | static_cast<std::uint64_t>(first) << 41;
  }
};

/// What a training makes smaller, and how well a model does.
class Objective {
 public:
  struct Result {
    at::Tensor loss;          ///< the part's share of the step's loss, with its graph
    std::int64_t tokens = 0;  ///< rows that the model read
  };

  virtual ~Objective() = default;

  /// The model whose parameters are trained. Inputs go to where its parameters are.
  virtual torch::nn::Module& model() = 0;

  /// What samples add to the numbers that the loss's means are divided by: one of each mean.
  /// Empty, as here: the loss of a step is not the sum of those of its parts.
  virtual std::vector<double> terms(std::span<const Sample> /*batch*/, std::int64_t /*step*/) {
    return {};
  }

  /// The loss of a part of a step, whose sum over all parts is the loss of the step: what its means
  /// add up, divided by the terms of the whole step. Whatever is random in it is a function of the
  /// run's seed, the part's place and the place in the part.
  virtual Result loss(std::span<const Sample> batch, const StepPart& part) = 0;

  /// How well the model as it is now does on data that it does not learn from.
  virtual Evaluation evaluate() = 0;
};

}  // namespace fnet
