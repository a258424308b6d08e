#pragma once

#include "blocks/context.h"
#include "core/error.h"

namespace fnet {

/// Y = S_n X Wᵀ for each text of n rows by itself: W [H, H], and S_n the first n rows and columns
/// of S [P, P], P = max_position_embeddings, so that a text's answer does not depend on P. Source:
/// FNet §4.1, "Linear"; Google's LinearTransform, of texts of P rows.
struct LinearMixing : Part {
  void weights(const Specs& specs, const Config& config) const {
    add(specs, config, Init::normal(), Init::normal());
  }

  /// x [T, H] → [T, H]. Throws: input where a text has more than P rows.
  template <Algebra A>
  A apply(const A& x, const Context<A>& c) const {
    for (std::int64_t text = 0; text < c.rows.texts(); ++text) {
      require(c.rows.rows(text) <= c.config.max_position_embeddings, Kind::input,
              "text: expected at most {} rows (max_position_embeddings), found {}",
              c.config.max_position_embeddings, c.rows.rows(text));
    }
    return mix_rows(c.w["sequence.weight"], linear(x, c, "hidden"), c.rows);
  }

  double operations(const Config& config) const {
    return linear_operations(config.hidden_size, config.hidden_size);
  }
  double pair_operations(const Config& config) const {
    return linear_operations(1, config.hidden_size);
  }

 protected:
  static void add(const Specs& specs, const Config& config, Init sequence, Init hidden) {
    const std::int64_t rows = config.max_position_embeddings;
    specs.add("sequence.weight", {rows, rows}, sequence, Resize::rows_and_columns);
    specs.linear("hidden", config.hidden_size, config.hidden_size, false, hidden);
  }
};

}  // namespace fnet
