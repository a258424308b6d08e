#pragma once

#include "blocks/normalize.h"

namespace fnet {

/// The geglu with each map followed by a norm and a learned share of each column:
/// ortho(x) = standardize(W x + b) ⊙ clip(share, 0, 1). Source: the seed library; its penalty for
/// matrices that are not orthonormal is not here: no training script of its own adds it.
struct OrthoGlu : Part {
  void weights(const Specs& specs, const Config& config) const {
    add_map(specs, "intermediate.dense", config.hidden_size, 2 * config.intermediate_size, false);
    add_map(specs, "output.dense", config.intermediate_size, config.hidden_size, true);
  }

  /// x [T, H] → [T, H], [T, 2F] inside: the gate's columns first.
  template <Algebra A>
  A apply(const A& x, const Context<A>& c) const {
    const std::int64_t inner = c.config.intermediate_size;
    const A both = map(x, c, "intermediate.dense");
    const A gated = gelu(columns(both, 0, inner)) * columns(both, inner, inner);
    return map(c.drop_inner(gated), c, "output.dense");
  }

  double operations(const Config& config) const {
    return 3 * linear_operations(config.hidden_size, config.intermediate_size);
  }

 private:
  static void add_map(const Specs& specs, const std::string& name, std::int64_t in,
                      std::int64_t out, bool bias) {
    specs.linear(name, in, out, bias);
    specs.add(name + ".share", {out}, Init::constant(0.5));
  }

  template <class A>
  static A map(const A& x, const Context<A>& c, const std::string& name) {
    const A& share = c.w[name + ".share"];
    return standardize(linear(x, c, name), c.eps()) * (relu(share) - relu(share + -1.0));
  }
};

}  // namespace fnet
