#pragma once

#include "blocks/gated.h"

namespace fnet {

/// The gate is relu(Wg x + bg). Source: Shazeer 2020, eq. 6.
struct ReGlu : Gated<Activation::relu> {};

}  // namespace fnet
