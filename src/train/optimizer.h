#pragma once

#include <torch/torch.h>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace fnet {

/// AdamW over a model's parameters, its gradient clipped by the norm over all of them, and a moving
/// average of the weights. Biases and norms (vectors) are not decayed.
/// Source: Loshchilov & Hutter 2019.
class AdamW {
 public:
  struct Options {
    double weight_decay = 0.01;
    double max_grad_norm = 1;  ///< 0: no clipping
    double average = 0;        ///< decay of the moving average; 0: none
    double beta1 = 0.9, beta2 = 0.999, eps = 1e-8;
  };

  AdamW(std::vector<at::Tensor> parameters, const Options& options);

  /// One step by the parameters' gradients, which are cleared. False, with nothing changed, where
  /// the gradient is not finite.
  bool step(double learning_rate);

  /// Clears the gradients.
  void zero_grad();

  /// The gradient's norm at the last step, before clipping.
  double grad_norm() const noexcept { return grad_norm_; }

  /// Swaps the weights with their average; a second call swaps back. Nothing without an average.
  void swap_average();

 private:
  struct Group {
    std::vector<at::Tensor> values, moments, squares, steps;
    double weight_decay;
  };

  Options options_;
  std::vector<Group> groups_;
  std::vector<at::Tensor> parameters_, average_;
  std::int64_t steps_ = 0;
  double grad_norm_ = 0;
};

/// The share of the peak learning rate at `step` of `steps`, from 0: up in a line over the first
/// `warmup` share, then down in a line to 0.
double linear_schedule(std::int64_t step, std::int64_t steps, double warmup);

}  // namespace fnet
