#pragma once

#include "blocks/gated.h"

namespace fnet {

/// The gate is gelu(Wg x + bg), exact. Source: Shazeer 2020, eq. 6.
struct GeGlu : Gated<Activation::gelu> {};

}  // namespace fnet
