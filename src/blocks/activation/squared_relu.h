#pragma once

namespace fnet {

/// max(x, 0)². Source: So et al. 2021.
template <class A>
A squared_relu(const A& x) {
  const A y = relu(x);
  return y * y;
}

}  // namespace fnet
