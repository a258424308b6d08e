#pragma once

#include <torch/torch.h>

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace fnet {

/// A parameter that learns.
struct Learner {
  at::Tensor value;
  double rate = 1;  ///< its share of the learning rate

  Learner(at::Tensor value_, double rate_ = 1)  // NOLINT: a parameter learns as it is
      : value(std::move(value_)), rate(rate_) {}
};

/// The parameters of a module that take a gradient; `rate` by their names, 1 where it is empty.
std::vector<Learner> learners_of(const torch::nn::Module& module,
                                 const std::function<double(const std::string&)>& rate = {});

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

  AdamW(const std::vector<Learner>& learners, const Options& options);

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
    double weight_decay, rate;
    std::vector<at::Tensor> values = {}, moments = {}, squares = {}, steps = {};
  };

  Group& group(double weight_decay, double rate);

  Options options_;
  std::vector<Group> groups_;
  std::vector<at::Tensor> parameters_, average_;
  std::int64_t steps_ = 0;
  double grad_norm_ = 0;
};

/// A weight's share of the learning rate in a model of so many layers: 1 of what follows the last
/// layer, of each layer `decay` times that of the one above it, of the embeddings the least.
/// Source: Clark et al. 2020 (ELECTRA), in the exponents of Bao et al. 2022 (BEiT).
double layer_rate(std::string_view name, std::int64_t layers, double decay);

/// The share of the peak learning rate at `step` of `steps`, from 0: up in a line over the first
/// `warmup` share, then down in a line to 0.
double linear_schedule(std::int64_t step, std::int64_t steps, double warmup);

}  // namespace fnet
