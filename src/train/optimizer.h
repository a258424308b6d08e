#pragma once

#include <torch/torch.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace fnet {

/// A parameter that learns.
struct Learner {
  at::Tensor value;
  double rate = 1;   ///< its share of the learning rate
  std::string name;  ///< of what the optimizer keeps for it

  Learner(at::Tensor value_, double rate_ = 1, std::string name_ = "")  // NOLINT: as it is
      : value(std::move(value_)), rate(rate_), name(std::move(name_)) {}
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
    /// A gradient over so many times the median norm of the last 200 steps is clipped to that,
    /// where gradients are clipped at all.
    double spike = 10;
    double beta1 = 0.9, beta2 = 0.999, eps = 1e-8;
    /// What the first losses are multiplied by on the way to their gradients, where these pass a
    /// type of a small range; 1: none ever is. Halved where they leave it, doubled now and then.
    /// Source: Micikevicius et al. 2018, "Mixed precision training", §3.2.
    double loss_scale = 1;
  };

  AdamW(const std::vector<Learner>& learners, const Options& options);

  /// What a loss is multiplied by before its gradients are taken.
  double loss_scale() const noexcept { return counters_.loss_scale; }
  at::Tensor scaled(const at::Tensor& loss) const {
    return loss_scale() == 1 ? loss : loss * loss_scale();
  }

  /// One step by the parameters' gradients of the loss so scaled, which are cleared. False, with
  /// nothing but the scale changed, where the gradient is not finite.
  bool step(double learning_rate);

  /// Clears the gradients.
  void zero_grad();

  /// The gradient's norm at the last step, before clipping.
  double grad_norm() const noexcept { return grad_norm_; }

  /// Whether it was a spike, as Options has it.
  bool spiked() const noexcept { return spiked_; }

  /// Swaps the weights with their average; a second call swaps back. Nothing without an average.
  void swap_average();

  /// What the next steps depend on beside the weights: tensors by torch's names for them, which
  /// share memory with the optimizer's, and the rest.
  struct Counters {
    std::int64_t steps = 0;
    std::vector<double> norms;  ///< of the gradients of the last steps
    double loss_scale = 1;
    std::int64_t scaled_steps = 0;  ///< since it changed
  };
  std::vector<std::pair<std::string, at::Tensor>> state() const;
  const Counters& counters() const noexcept { return counters_; }
  void set_counters(Counters counters) { counters_ = std::move(counters); }

 private:
  struct Group {
    double weight_decay, rate;
    std::vector<std::string> names = {};
    std::vector<at::Tensor> values = {}, moments = {}, squares = {}, steps = {};
  };

  Group& group(double weight_decay, double rate);
  std::optional<double> largest_norm();
  void adapt_scale(bool finite);

  Options options_;
  std::vector<Group> groups_;
  std::vector<std::string> names_;
  std::vector<at::Tensor> parameters_, average_;
  Counters counters_;
  double grad_norm_ = 0;
  bool spiked_ = false;
};

/// A weight's share of the learning rate in a model of so many layers: 1 of what follows the last
/// layer, of each layer `decay` times that of the one above it, of the embeddings the least.
/// Source: Clark et al. 2020 (ELECTRA), in the exponents of Bao et al. 2022 (BEiT).
double layer_rate(std::string_view name, std::int64_t layers, double decay);

/// How the learning rate goes after its peak: down to 0 in a line or half a cosine, or not at all.
enum class Schedule : std::uint8_t { linear, cosine, constant };

/// By its name. Throws: usage.
Schedule schedule_named(std::string_view name);

/// The share of the peak learning rate at `step` of `steps`, from 0: up in a line over the first
/// `warmup` share of them, whose steps count from 1, then as the schedule says. Source: Hugging
/// Face's get_linear_schedule_with_warmup and its sisters.
double rate_at(Schedule schedule, std::int64_t step, std::int64_t steps, double warmup);

}  // namespace fnet
