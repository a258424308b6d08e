#pragma once

#include "blocks/normalize.h"

namespace fnet {

/// The batch norm without what it adds: y = x / sqrt(var + eps) · weight, so that y scales as x
/// does. Source: Mohan et al. 2020, §4.
struct BiasFreeBatchNorm : Part {
  double momentum = 0.99;

  template <class Option>
  void options(Option&& option) {
    option("momentum", momentum, Allowed::range(0, 1), "what a step keeps of the running variance");
  }

  void weights(const Specs& specs, const Config& config) const {
    specs.add("weight", {config.hidden_size}, Init::ones());
    specs.buffers().add("running_var", {config.hidden_size}, Init::ones());
  }

  /// x [T, H] → [T, H].
  template <Algebra A>
  A apply(const A& x, const Context<A>& c) const {
    if (!c.training()) return affine(x * rsqrt(c.w["running_var"] + c.eps()), c);
    const A centred = x - batch_mean(x, c.rows);
    const A var = batch_mean(centred * centred, c.rows);
    track(c.w["running_var"], var, momentum);
    return affine(x * rsqrt(var + c.eps()), c);
  }
};

}  // namespace fnet
