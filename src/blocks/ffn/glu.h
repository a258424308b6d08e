#pragma once

#include "blocks/gated.h"

namespace fnet {

/// The gate is silu(Wg x + bg). Source: Dauphin et al. 2017, with the seed's silu for σ.
struct Glu : Gated<Activation::silu> {};

}  // namespace fnet
