#pragma once

#include <algorithm>
#include <cmath>
#include <span>

namespace fnet {

/// The step between int8 values that stand for `row`: its largest magnitude / 127, so that every
/// number fits −127 … 127. 0 where that is no normal number: such a row is stored as zeros.
inline float int8_scale(std::span<const float> row) {
  float most = 0.0F;
  for (const float v : row) most = std::max(most, std::abs(v));
  const float scale = most / 127.0F;
  return std::isnormal(scale) ? scale : 0.0F;
}

}  // namespace fnet
