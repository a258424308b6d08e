#pragma once

#include "blocks/gated.h"

namespace fnet {

/// The gate is silu(Wg x). Source: Shazeer 2020, eq. 6, which has no biases; the width by a factor
/// is that of Touvron et al. 2023 (LLaMA), §2.2.
struct SwiGlu : Gated<Activation::silu> {
  double expansion_factor = 0;
  std::int64_t multiple_of = 256;

  SwiGlu() { bias = false; }

  template <class Option>
  void options(Option&& option) {
    Gated::options(option);
    option("expansion_factor", expansion_factor, Allowed::range(0, 1'024),
           "the width inside is 2/3 of so many times hidden_size; 0: intermediate_size");
    option("multiple_of", multiple_of, Allowed::range(1, 65'536),
           "to whose multiple that width is rounded up");
  }

  std::int64_t width(const Config& config) const {
    if (expansion_factor <= 0) return config.intermediate_size;
    const double wanted = static_cast<double>(config.hidden_size) * expansion_factor * 2 / 3;
    return (static_cast<std::int64_t>(wanted) + multiple_of - 1) / multiple_of * multiple_of;
  }

  void weights(const Specs& specs, const Config& config) const {
    add_maps(specs, config, width(config));
  }

  double operations(const Config& config) const {
    return 3 * linear_operations(config.hidden_size, width(config));
  }
};

}  // namespace fnet
