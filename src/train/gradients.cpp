#include "train/gradients.h"

#include <torch/csrc/autograd/utils/lambda_post_hook.h>

namespace fnet {

GradientSums::GradientSums(Ranks& ranks, std::vector<at::Tensor> parameters)
    : ranks_(ranks), parameters_(std::move(parameters)), places_(parameters_.size()) {
  // Backward passes make the last ones' gradients first.
  std::int64_t bytes = 0;
  for (std::size_t i = parameters_.size(); i-- > 0;) {
    const std::int64_t limit = buckets_.size() <= 1 ? kFirstBytes : kBytes;
    if (buckets_.empty() || bytes >= limit) buckets_.emplace_back(), bytes = 0;
    buckets_.back().parameters.push_back(i);
    bytes += static_cast<std::int64_t>(parameters_[i].nbytes());
  }
  for (std::size_t b = 0; b < buckets_.size(); ++b) {
    Bucket& bucket = buckets_[b];
    std::int64_t size = 0;
    for (std::size_t slot = 0; slot < bucket.parameters.size(); ++slot) {
      places_[bucket.parameters[slot]] = {b, slot, size};
      size += parameters_[bucket.parameters[slot]].numel();
    }
    size += static_cast<std::int64_t>(bucket.parameters.size());
    bucket.values = at::zeros({size}, parameters_[bucket.parameters[0]].options());
  }
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    auto node = torch::autograd::impl::grad_accumulator(parameters_[i]);
    auto hook = std::make_unique<torch::autograd::utils::LambdaPostHook>(
        [this, i](const torch::autograd::variable_list& outputs,
                  const torch::autograd::variable_list& /*inputs*/) {
          if (active_) take(i), start_ready();
          return outputs;
        });
    const std::uintptr_t key = node->add_post_hook(std::move(hook));
    hooks_.emplace_back(std::move(node), key);
  }
}

GradientSums::~GradientSums() {
  for (const auto& [node, key] : hooks_) node->del_post_hook(key);
}

at::Tensor GradientSums::gradient(std::size_t parameter) const {
  const Place& place = places_[parameter];
  const at::Tensor& like = parameters_[parameter];
  return buckets_[place.bucket].values.narrow(0, place.offset, like.numel()).view(like.sizes());
}

at::Tensor GradientSums::count(std::size_t parameter) const {
  const Place& place = places_[parameter];
  const Bucket& bucket = buckets_[place.bucket];
  const auto counts = static_cast<std::int64_t>(bucket.parameters.size());
  return bucket.values[bucket.values.numel() - counts + static_cast<std::int64_t>(place.slot)];
}

void GradientSums::begin() {
  for (Bucket& bucket : buckets_) bucket.waits_for = bucket.parameters.size();
  for (Place& place : places_) place.taken = false;
  started_ = 0;
  active_ = true;
}

/// Puts a parameter's gradient into its bucket, or zeros.
void GradientSums::take(std::size_t parameter) {
  Place& place = places_[parameter];
  if (place.taken) return;
  place.taken = true;
  --buckets_[place.bucket].waits_for;
  const at::NoGradGuard no_grad;
  const at::Tensor own = parameters_[parameter].grad();
  const at::Tensor sum = gradient(parameter);
  if (own.defined()) {
    sum.copy_(own);
    parameters_[parameter].mutable_grad() = sum;  // the memory of the other is free again
  } else {
    sum.zero_();
  }
  count(parameter).fill_(own.defined() ? 1 : 0);
}

void GradientSums::start_ready() {
  while (started_ < buckets_.size() && buckets_[started_].waits_for == 0)
    ranks_.begin_sum(buckets_[started_++].values);
}

bool GradientSums::finish() {
  active_ = false;
  // What this process's pass did not come to has a gradient of before, or none.
  for (std::size_t i = 0; i < parameters_.size(); ++i) take(i);
  start_ready();
  ranks_.finish_sums();
  bool any = false;
  for (const Bucket& bucket : buckets_) {
    const auto size = static_cast<std::int64_t>(bucket.parameters.size());
    const at::Tensor counts = bucket.values.narrow(0, bucket.values.numel() - size, size)
                                  .to(at::TensorOptions(at::kCPU).dtype(at::kFloat));
    for (std::int64_t slot = 0; slot < size; ++slot) {
      const std::size_t parameter = bucket.parameters[static_cast<std::size_t>(slot)];
      const bool has = counts.const_data_ptr<float>()[slot] > 0;
      any = any || has;
      at::Tensor& grad = parameters_[parameter].mutable_grad();
      if (has)
        grad = gradient(parameter);
      else
        grad.reset();
    }
  }
  return any;
}

}  // namespace fnet
