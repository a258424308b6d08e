#pragma once

#include <cstdint>
#include <vector>

#include "model/weights.h"

namespace fnet {

/// The values of a new weight: a pure function of (seed, name), so that a model is the same
/// whatever is initialised before it. `range` is the standard deviation of Init::normal.
std::vector<float> initial_values(const WeightSpec& spec, double range, std::uint64_t seed);

}  // namespace fnet
