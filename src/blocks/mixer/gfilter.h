#pragma once

#include "blocks/context.h"

namespace fnet {

/// Y = irfft(W_n ⊙ rfft(X)) along each text of n rows: every column has a filter of its own,
/// learned at K frequencies from 0 to half a turn a row, W = real + i·imag [K, H]. W_n [n/2 + 1, H]
/// is W at the text's frequencies j/n, by straight lines between the K: any length has the same
/// filter. Source: Rao et al. 2021 (GFNet), of one axis.
struct FilterMixing : Part {
  std::int64_t frequencies = 0;

  template <class Option>
  void options(Option&& option) {
    option("frequencies", frequencies, Allowed::range(0, 1'000'000),
           "at which the filter is learned; 0: max_position_embeddings / 2 + 1");
  }

  void weights(const Specs& specs, const Config& config) const {
    const std::int64_t count =
        frequencies > 0 ? frequencies : config.max_position_embeddings / 2 + 1;
    for (const char* name : {"real", "imag"}) {
      specs.add(name, {count, config.hidden_size}, Init::normal(), Resize::interpolated);
    }
  }

  /// x [T, H] → [T, H].
  template <Algebra A>
  A apply(const A& x, const Context<A>& c) const {
    return filter_spectrum(x, c.rows, c.w["real"], c.w["imag"]);
  }
};

}  // namespace fnet
