#pragma once

#include "blocks/normalize.h"

namespace fnet {

/// y = (x − mean) / sqrt(var + eps) · weight + bias, each column over the rows of all texts in
/// training, without padding, and by the running mean and variance of training afterwards.
/// Source: Ioffe & Szegedy 2015, algorithms 1 and 2.
struct BatchNorm : Part {
  double momentum = 0.99;

  template <class Option>
  void options(Option&& option) {
    option("momentum", momentum, Allowed::range(0, 1),
           "what a step keeps of the running statistics");
  }

  void weights(const Specs& specs, const Config& config) const {
    specs.add("weight", {config.hidden_size}, Init::ones());
    specs.add("bias", {config.hidden_size}, Init::zeros());
    specs.buffers().add("running_mean", {config.hidden_size}, Init::zeros());
    specs.buffers().add("running_var", {config.hidden_size}, Init::ones());
  }

  /// x [T, H] → [T, H].
  template <Algebra A>
  A apply(const A& x, const Context<A>& c) const {
    if (!c.training()) {
      return affine((x - c.w["running_mean"]) * rsqrt(c.w["running_var"] + c.eps()), c);
    }
    const A mean = batch_mean(x, c.rows), centred = x - mean;
    const A var = batch_mean(centred * centred, c.rows);
    track(c.w["running_mean"], mean, momentum);
    track(c.w["running_var"], var, momentum);
    return affine(centred * rsqrt(var + c.eps()), c);
  }
};

}  // namespace fnet
