#pragma once

#include "blocks/context.h"

namespace fnet {

/// Y[n,k] = Re Σ_{l,h} X[l,h] · exp(−2πi(nl/L + kh/H)) for each text by itself, times 1/√(LH) with
/// fourier_norm `ortho`. No weights; linear and self-adjoint, so the gradient is the same map.
/// Source: FNet §3.1, eq. 3.
struct FourierMixing : Part {
  /// x [T, H] → [T, H].
  template <Algebra A>
  A apply(const A& x, const Context<A>& c) const {
    return fourier_mix(x, c.rows, c.config.fourier_norm == "ortho");
  }
};

}  // namespace fnet
