#pragma once

#include "blocks/normalize.h"

namespace fnet {

/// y = x / (‖x‖ · temperature), ‖x‖² at least eps. Source: Wei et al. 2022, eq. 6.
struct LogitNorm : Part {
  double temperature = 0.04;

  template <class Option>
  void options(Option&& option) {
    option("temperature", temperature, Allowed::range(1e-4, 1e4), "1 / the length of a row");
  }

  /// x [T, H] → [T, H].
  template <Algebra A>
  A apply(const A& x, const Context<A>& c) const {
    const A square = relu(square_sum(x, c) + -c.eps()) + c.eps();
    return x * (rsqrt(square) * (1 / temperature));
  }
};

}  // namespace fnet
