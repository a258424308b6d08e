#pragma once

#include "blocks/context.h"

namespace fnet {

/// Counts along a text. c = σ(Wk x) is how much of each of F things a row holds; the sums of c up
/// to the row and from it on (`local`), up to it (`causal`), or over the text (`global`) give t =
/// gelu(Wc sums + b) and y = g t + (1 − g) x, g = σ(Wg x + b). Source: the seed library.
struct Counting : Part {
  std::string scope = "local";

  template <class Option>
  void options(Option&& option) {
    option("scope", scope, Allowed::one_of({"local", "causal", "global"}),
           "what is summed: before and after each row, before it, or the whole text");
  }

  void weights(const Specs& specs, const Config& config) const {
    specs.linear("intermediate.dense", config.hidden_size, config.intermediate_size);
    specs.linear("output.dense", config.intermediate_size, config.hidden_size);
    if (scope == "local") {
      specs.linear("output.after", config.intermediate_size, config.hidden_size, false);
    }
    specs.linear("output.gate", config.hidden_size, config.hidden_size);
  }

  /// x [T, H] → [T, H], [T, F] inside.
  template <Algebra A>
  A apply(const A& x, const Context<A>& c) const {
    const A counts = sigmoid(linear(x, c, "intermediate.dense"));
    const A t = gelu(sums(counts, c)), g = sigmoid(linear(x, c, "output.gate"));
    return g * (c.drop_inner(t) - x) + x;
  }

  double operations(const Config& config) const {
    return (scope == "local" ? 3 : 2) *
               linear_operations(config.hidden_size, config.intermediate_size) +
           linear_operations(config.hidden_size, config.hidden_size);
  }

 private:
  template <class A>
  A sums(const A& counts, const Context<A>& c) const {
    if (scope == "global") {
      return repeat_rows(linear(sum_rows(counts, c.rows), c, "output.dense"), c.rows);
    }
    const A before = cumsum_rows(counts, c.rows);
    const A mapped = linear(before, c, "output.dense");
    if (scope == "causal") return mapped;
    const A after = repeat_rows(sum_rows(counts, c.rows), c.rows) - before + counts;
    return mapped + linear(after, c, "output.after");
  }
};

}  // namespace fnet
