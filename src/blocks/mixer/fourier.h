#pragma once

#include <string>

#include "blocks/context.h"

namespace fnet {

/// Y[n,k] = Re Σ_{l,h} X[l,h] · exp(−2πi(nl/L + kh/H)) for each text by itself, times 1/√(LH) with
/// fourier_norm `ortho`. No weights; linear and self-adjoint, so the gradient is the same map.
/// Source: FNet §3.1, eq. 3.
struct FourierMixing : Part {
  std::string mask = "none";

  template <class Option>
  void options(Option&& option) {
    option("mask", mask, Allowed::one_of({"none", "output"}),
           "output: the mixing of padding rows is 0, as the Keras seed's mask makes it; without "
           "padding the same");
  }

  bool zeroes_padding() const { return mask == "output"; }

  /// x [T, H] → [T, H].
  template <Algebra A>
  A apply(const A& x, const Context<A>& c) const {
    const A y = fourier_mix(x, c.rows, c.config.fourier_norm == "ortho");
    return zeroes_padding() ? zero_padding(y, c.rows) : y;
  }
};

}  // namespace fnet
