#pragma once

namespace fnet {

/// x · σ(1.702 x). Source: Hendrycks & Gimpel 2016, §2.
template <class A>
A quick_gelu(const A& x) {
  return x * sigmoid(x * 1.702);
}

}  // namespace fnet
