#pragma once

#include "blocks/context.h"

namespace fnet {

/// Y[n,k] = Σ_{l,h} X[l,h] · cas(2π(nl/L + kh/H)), cas = cos + sin: Re F − Im F of the Fourier
/// transform F over both axes, for each text by itself; times 1/√(LH) with fourier_norm `ortho`. It
/// keeps all of X, where Re F keeps half. No weights; cas is symmetric in (n,k) and (l,h), so the
/// gradient is the same map. Source: Hartley 1942; Lee-Thorp & Ainslie 2022 (Sparse Mixers), H_NET.
struct HartleyMixing : Part {
  /// x [T, H] → [T, H].
  template <Algebra A>
  A apply(const A& x, const Context<A>& c) const {
    return hartley_mix(x, c.rows, c.config.fourier_norm == "ortho");
  }
};

}  // namespace fnet
