#pragma once

#include "blocks/weights.h"
#include "core/rows.h"
#include "fnet/config.h"

namespace fnet {

/// Y[n,k] = Re Σ_{l,h} X[l,h] · exp(−2πi(nl/L + kh/H)) for each text by itself, times 1/√(LH) with
/// fourier_norm `ortho`. No weights; linear and self-adjoint, so the gradient is the same map.
/// Source: FNet §3.1, eq. 3.
struct FourierMixing {
  static void weights(const Specs&, const Config&) {}

  /// x [T, H] → [T, H].
  template <class A>
  static A apply(const A& x, const Rows& rows, const Weights<A>&, const Config& config) {
    return fourier_mix(x, rows, config.fourier_norm == "ortho");
  }
};

}  // namespace fnet
