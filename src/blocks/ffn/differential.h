#pragma once

#include "blocks/normalize.h"

namespace fnet {

/// y = Wo LN(p − n) + bo with p = σ(Wp2 gelu(LN(Wp1 relu(x)))) and n the same of −x with its own
/// weights: what excites and what inhibits, apart until the end. Source: the seed library.
struct Differential : Part {
  double eps = 1e-3;

  template <class Option>
  void options(Option&& option) {
    option("eps", eps, Allowed::range(1e-14, 0.1), "epsilon of the norms inside");
  }

  void check(const Config& config) const {
    require(config.intermediate_size % 2 == 0, Kind::input,
            "config: intermediate_size: expected an even number for differential, found {}",
            config.intermediate_size);
  }

  void weights(const Specs& specs, const Config& config) const {
    const std::int64_t inner = config.intermediate_size;
    for (const std::string way : {"positive", "negative"}) {
      specs.linear(way + ".dense", config.hidden_size, inner);
      specs.add(way + ".LayerNorm.weight", {inner}, Init::ones());
      specs.add(way + ".LayerNorm.bias", {inner}, Init::zeros());
      specs.linear(way + ".output", inner, inner / 2);
    }
    specs.add("difference.LayerNorm.weight", {inner / 2}, Init::ones());
    specs.linear("output.dense", inner / 2, config.hidden_size);
  }

  /// x [T, H] → [T, H], [T, F] inside.
  template <Algebra A>
  A apply(const A& x, const Context<A>& c) const {
    const auto norm = [&](const A& v, std::string_view place) {
      return affine(standardize(v, eps), c.under(place));
    };
    const auto branch = [&](const A& v, const std::string& way) {
      const A inner = gelu(norm(linear(v, c, way + ".dense"), way + ".LayerNorm"));
      return sigmoid(linear(inner, c, way + ".output"));
    };
    const A difference = branch(relu(x), "positive") - branch(relu(x * -1.0), "negative");
    return linear(c.drop_inner(norm(difference, "difference.LayerNorm")), c, "output.dense");
  }

  double operations(const Config& config) const {
    const std::int64_t inner = config.intermediate_size;
    return 2 * linear_operations(config.hidden_size + inner / 2, inner) +
           linear_operations(inner / 2, config.hidden_size);
  }
};

}  // namespace fnet
