#pragma once

namespace fnet {

/// x itself.
template <class A>
A identity(const A& x) {
  return x;
}

}  // namespace fnet
