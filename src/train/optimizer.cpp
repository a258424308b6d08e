#include "train/optimizer.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "core/error.h"
#include "model/weights.h"

namespace fnet {
namespace {

/// Steps between two updates of the average: it moves slowly, and a step costs a pass over memory.
constexpr std::int64_t kAverageEvery = 8;
/// Steps whose median norm is the usual one.
constexpr std::size_t kNorms = 200;
/// Steps without an overflow after which the loss's scale is doubled: PyTorch's GradScaler's.
constexpr std::int64_t kScaleAfter = 2'000;

}  // namespace

std::vector<Learner> learners_of(const torch::nn::Module& module,
                                 const std::function<double(const std::string&)>& rate) {
  std::vector<Learner> learners;
  for (const auto& item : module.named_parameters()) {
    if (item.value().requires_grad())
      learners.emplace_back(item.value(), rate ? rate(item.key()) : 1, item.key());
  }
  return learners;
}

AdamW::AdamW(const std::vector<Learner>& learners, const Options& options) : options_(options) {
  counters_.loss_scale = options.loss_scale;
  for (const auto& [value, rate, name] : learners) {
    Group& own = group(value.dim() > 1 ? options.weight_decay : 0.0, rate);
    own.names.push_back(name);
    names_.push_back(name);
    own.values.push_back(value);
    own.moments.push_back(at::zeros_like(value));
    own.squares.push_back(at::zeros_like(value));
    own.steps.push_back(at::zeros({}, value.options().dtype(at::kFloat)));
    parameters_.push_back(value);
    if (options.average > 0) average_.push_back(value.detach().clone());
  }
}

AdamW::Group& AdamW::group(double weight_decay, double rate) {
  const auto found = std::ranges::find_if(
      groups_, [&](const Group& g) { return g.weight_decay == weight_decay && g.rate == rate; });
  return found != groups_.end() ? *found : groups_.emplace_back(Group{weight_decay, rate});
}

/// The norm that this step's gradient is clipped to, where it is.
std::optional<double> AdamW::largest_norm() {
  auto& norms = counters_.norms;
  std::optional<double> largest;
  if (options_.max_grad_norm > 0) largest = options_.max_grad_norm;
  spiked_ = false;
  if (options_.spike > 0 && norms.size() == kNorms) {
    std::vector<double> sorted = norms;
    const auto middle = sorted.begin() + kNorms / 2;
    std::ranges::nth_element(sorted, middle);
    const double usual = options_.spike * *middle;
    spiked_ = usual > 0 && grad_norm_ > usual;
    if (spiked_ && largest) largest = std::min(*largest, usual);
  }
  if (norms.size() == kNorms) norms.erase(norms.begin());
  norms.push_back(grad_norm_);
  return largest && grad_norm_ > *largest ? largest : std::nullopt;
}

void AdamW::adapt_scale(bool finite) {
  if (options_.loss_scale == 1) return;
  if (finite && ++counters_.scaled_steps < kScaleAfter) return;
  counters_.loss_scale =
      finite ? 2 * counters_.loss_scale : std::max(1.0, counters_.loss_scale / 2);
  counters_.scaled_steps = 0;
}

bool AdamW::step(double learning_rate) {
  const at::NoGradGuard no_grad;
  std::vector<at::Tensor> all;
  for (const at::Tensor& parameter : parameters_) {
    if (parameter.grad().defined()) all.push_back(parameter.grad());
  }
  if (all.empty()) return true;
  // The one number of a step that the CPU waits for besides the loss.
  grad_norm_ = at::stack(at::_foreach_norm(all, 2)).norm().item<double>() / counters_.loss_scale;
  const bool finite = std::isfinite(grad_norm_);
  double divisor = counters_.loss_scale;
  adapt_scale(finite);
  if (!finite) {
    zero_grad();
    return false;
  }
  if (const std::optional<double> largest = largest_norm()) divisor *= grad_norm_ / *largest;
  // The fused step divides gradients by this as it reads them.
  std::optional<at::Tensor> scale;
  if (divisor != 1) scale = at::scalar_tensor(divisor, all[0].options().dtype(at::kFloat));
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
    at::_fused_adamw_(values, grads, moments, squares, {}, steps, learning_rate * group.rate,
                      options_.beta1, options_.beta2, group.weight_decay, options_.eps, false,
                      false, scale, {});
  }
  zero_grad();
  if (!average_.empty() && ++counters_.steps % kAverageEvery == 0) {
    // Young averages forget faster, or the first weights would stay in them.
    const auto t = static_cast<double>(counters_.steps);
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

std::vector<std::pair<std::string, at::Tensor>> AdamW::state() const {
  std::vector<std::pair<std::string, at::Tensor>> all;
  for (const Group& group : groups_) {
    for (std::size_t i = 0; i < group.names.size(); ++i) {
      all.emplace_back("exp_avg." + group.names[i], group.moments[i]);
      all.emplace_back("exp_avg_sq." + group.names[i], group.squares[i]);
      all.emplace_back("step." + group.names[i], group.steps[i]);
    }
  }
  for (std::size_t i = 0; i < average_.size(); ++i)
    all.emplace_back("average." + names_[i], average_[i]);
  return all;
}

double layer_rate(std::string_view name, std::int64_t layers, double decay) {
  return std::pow(decay, static_cast<double>(layers + 1 - depth_of(name, layers)));
}

Schedule schedule_named(std::string_view name) {
  if (name == "linear") return Schedule::linear;
  if (name == "cosine") return Schedule::cosine;
  require(name == "constant", Kind::usage,
          "schedule: expected linear, cosine or constant, found '{}'", name);
  return Schedule::constant;
}

double rate_at(Schedule schedule, std::int64_t step, std::int64_t steps, double warmup) {
  const auto at = static_cast<double>(step), total = static_cast<double>(steps);
  const double up = warmup * total;
  if (at + 1 < up) return (at + 1) / up;
  const double left = std::clamp((total - at) / std::max(1.0, total - up), 0.0, 1.0);
  switch (schedule) {
    case Schedule::linear:
      return left;
    case Schedule::cosine:
      return 0.5 * (1 - std::cos(std::numbers::pi * left));
    case Schedule::constant:
      break;
  }
  return 1;
}

}  // namespace fnet
