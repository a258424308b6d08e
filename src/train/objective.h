#pragma once

#include <torch/torch.h>

#include <cstdint>
#include <span>

#include "tasks/task.h"

namespace fnet {

/// What a training makes smaller, and how well a model does.
class Objective {
 public:
  struct Result {
    at::Tensor loss;          ///< a mean over the batch, with its graph
    std::int64_t tokens = 0;  ///< rows that the model read
  };

  virtual ~Objective() = default;

  /// The model whose parameters are trained. Inputs go to where its parameters are.
  virtual torch::nn::Module& model() = 0;

  /// The loss of a batch. Whatever is random in it is a function of the run's seed, the step and
  /// the place in the batch.
  virtual Result loss(std::span<const Sample> batch, std::int64_t step) = 0;

  /// How well the model as it is now does on data that it does not learn from.
  virtual Evaluation evaluate() = 0;
};

}  // namespace fnet
