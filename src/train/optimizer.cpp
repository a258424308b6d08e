#include "train/optimizer.h"

#include <algorithm>
#include <cmath>

namespace fnet {
namespace {

/// Steps between two updates of the average: it moves slowly, and a step costs a pass over memory.
constexpr std::int64_t kAverageEvery = 8;

}  // namespace

AdamW::AdamW(std::vector<at::Tensor> parameters, const Options& options)
    : options_(options), parameters_(std::move(parameters)) {
  Group decayed{{}, {}, {}, {}, options.weight_decay}, kept{{}, {}, {}, {}, 0.0};
  for (const at::Tensor& parameter : parameters_) {
    Group& group = parameter.dim() > 1 ? decayed : kept;
    group.values.push_back(parameter);
    group.moments.push_back(at::zeros_like(parameter));
    group.squares.push_back(at::zeros_like(parameter));
    group.steps.push_back(at::zeros({}, parameter.options().dtype(at::kFloat)));
    if (options.average > 0) average_.push_back(parameter.detach().clone());
  }
  groups_ = {std::move(decayed), std::move(kept)};
}

bool AdamW::step(double learning_rate) {
  const at::NoGradGuard no_grad;
  std::vector<at::Tensor> all;
  for (const at::Tensor& parameter : parameters_) {
    if (parameter.grad().defined()) all.push_back(parameter.grad());
  }
  if (all.empty()) return true;
  grad_norm_ = at::stack(at::_foreach_norm(all, 2)).norm().item<double>();
  if (!std::isfinite(grad_norm_)) {
    zero_grad();
    return false;
  }
  // The fused step divides gradients by this as it reads them.
  std::optional<at::Tensor> scale;
  if (options_.max_grad_norm > 0 && grad_norm_ > options_.max_grad_norm) {
    scale =
        at::scalar_tensor(grad_norm_ / options_.max_grad_norm, all[0].options().dtype(at::kFloat));
  }
  for (Group& group : groups_) {
    std::vector<at::Tensor> values, grads, moments, squares, steps;
    for (std::size_t i = 0; i < group.values.size(); ++i) {
      if (!group.values[i].grad().defined()) continue;
      values.push_back(group.values[i]);
      grads.push_back(group.values[i].grad());
      moments.push_back(group.moments[i]);
      squares.push_back(group.squares[i]);
      steps.push_back(group.steps[i]);
    }
    if (values.empty()) continue;
    at::_foreach_add_(steps, 1);
    at::_fused_adamw_(values, grads, moments, squares, {}, steps, learning_rate, options_.beta1,
                      options_.beta2, group.weight_decay, options_.eps, false, false, scale, {});
  }
  zero_grad();
  if (!average_.empty() && ++steps_ % kAverageEvery == 0) {
    // Young averages forget faster, or the first weights would stay in them.
    const auto t = static_cast<double>(steps_);
    const double decay = std::min(options_.average, (1 + t) / (10 + t));
    std::vector<at::Tensor> values;
    for (const at::Tensor& parameter : parameters_) values.push_back(parameter.detach());
    at::_foreach_lerp_(average_, values, 1 - std::pow(decay, kAverageEvery));
  }
  return true;
}

void AdamW::zero_grad() {
  for (at::Tensor& parameter : parameters_) parameter.mutable_grad().reset();
}

void AdamW::swap_average() {
  const at::NoGradGuard no_grad;
  for (std::size_t i = 0; i < average_.size(); ++i) {
    const at::Tensor values = parameters_[i].detach();
    parameters_[i].set_data(average_[i]);
    average_[i] = values.alias();
  }
}

double linear_schedule(std::int64_t step, std::int64_t steps, double warmup) {
  const double at = static_cast<double>(step) + 1;
  const double total = static_cast<double>(steps);
  const double up = warmup * total;
  if (at < up) return at / up;
  return std::max(0.0, (total - static_cast<double>(step)) / std::max(1.0, total - up));
}

}  // namespace fnet
