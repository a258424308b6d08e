#pragma once

#include <algorithm>
#include <vector>

#include "blocks/context.h"

namespace fnet {

/// The mlp with Monarch matrices: each map is block-diagonal · shuffle · block-diagonal, of
/// `blocks` blocks, and the narrower of its two sides between them. Source: Dao et al. 2022, §3.1.
struct Monarch : Part {
  std::int64_t blocks = 4;

  template <class Option>
  void options(Option&& option) {
    option("blocks", blocks, Allowed::range(1, 1'024),
           "blocks of each matrix; they divide hidden_size and intermediate_size");
  }

  void check(const Config& config) const {
    require(config.hidden_size % blocks == 0 && config.intermediate_size % blocks == 0, Kind::input,
            "config: ffn_options.blocks: expected a divisor of hidden_size ({}) and of "
            "intermediate_size ({}), found {}",
            config.hidden_size, config.intermediate_size, blocks);
  }

  void weights(const Specs& specs, const Config& config) const {
    add_map(specs.under("intermediate.dense"), config.hidden_size, config.intermediate_size);
    add_map(specs.under("output.dense"), config.intermediate_size, config.hidden_size);
  }

  /// x [T, H] → [T, H], [T, F] inside.
  template <Algebra A>
  A apply(const A& x, const Context<A>& c) const {
    const A inner = c.activate(map(x, c.under("intermediate.dense"), c.config.hidden_size));
    return map(c.drop_inner(inner), c.under("output.dense"), c.config.intermediate_size);
  }

  double operations(const Config& config) const {
    const std::int64_t narrow = std::min(config.hidden_size, config.intermediate_size);
    return 2 * linear_operations(narrow, config.hidden_size + config.intermediate_size) /
           static_cast<double>(blocks);
  }

 private:
  static std::string block(std::string_view side, std::int64_t i) {
    return std::string(side) + "." + std::to_string(i);
  }

  void add_map(const Specs& specs, std::int64_t in, std::int64_t out) const {
    const std::int64_t narrow = std::min(in, out);
    for (std::int64_t i = 0; i < blocks; ++i) {
      specs.linear(block("first", i), in / blocks, narrow / blocks, false);
    }
    for (std::int64_t i = 0; i < blocks; ++i) {
      specs.linear(block("second", i), narrow / blocks, out / blocks, false);
    }
    specs.add("bias", {out}, Init::zeros());
  }

  /// Each block's `width` columns by its own matrix.
  template <class A>
  A diagonal(const A& x, const Context<A>& c, std::string_view side, std::int64_t width) const {
    std::vector<A> parts;
    for (std::int64_t i = 0; i < blocks; ++i) {
      parts.push_back(linear(columns(x, i * width, width), c, block(side, i)));
    }
    return concat(parts);
  }

  template <class A>
  A map(const A& x, const Context<A>& c, std::int64_t in) const {
    const std::int64_t narrow = std::min(c.config.hidden_size, c.config.intermediate_size);
    const A first = diagonal(x, c, "first", in / blocks);
    return diagonal(channel_shuffle(first, blocks), c, "second", narrow / blocks) + c.w["bias"];
  }
};

}  // namespace fnet
