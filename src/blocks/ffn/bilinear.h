#pragma once

#include "blocks/gated.h"

namespace fnet {

/// The gate is Wg x + bg itself. Source: Shazeer 2020, eq. 5.
struct Bilinear : Gated<Activation::linear> {};

}  // namespace fnet
