#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>
#include <variant>
#include <vector>

#include "blocks/context.h"
#include "fnet/config.h"
#include "model/kinds.h"
// Written by the build: every header of blocks/norm, ffn, mixer, pooling and activation.
#include "blocks/part_headers.h"

// The parts of a model as values: what a config's names stand for, resolved once.
namespace fnet {

/// One of a table's rows; the first type only takes the comma that a row begins with.
template <class, class... Types>
using OneOf = std::variant<Types...>;

using Norm = OneOf<void
#define FNET_NORM(name, Type, reach, help) , Type
#include "model/kinds.def"
                   >;
using Ffn = OneOf<void
#define FNET_FFN(name, Type, reach, help) , Type
#include "model/kinds.def"
                  >;
using Mixer = OneOf<void
#define FNET_MIXER(name, Type, reach, help) , Type
#include "model/kinds.def"
                    >;
using Pooling = OneOf<void
#define FNET_POOLING(name, Type, reach, help) , Type
#include "model/kinds.def"
                      >;

/// The table's row that a part comes from.
inline const KindRow& row_of(const Norm& part) { return norm_kinds()[part.index()]; }
inline const KindRow& row_of(const Ffn& part) { return ffn_kinds()[part.index()]; }
inline const KindRow& row_of(const Mixer& part) { return mixer_kinds()[part.index()]; }
inline const KindRow& row_of(const Pooling& part) { return pooling_kinds()[part.index()]; }

/// A part by its name, with the options that it has at first. Throws: internal where the table has
/// none; of a pooling: usage.
Norm norm_named(std::string_view name);
Ffn ffn_named(std::string_view name);
Activation activation_named(std::string_view name);
Pooling pooling_named(std::string_view name);

/// The parts of a config, with their options.
struct Parts {
  Activation activation = {};
  Norm norm;
  Ffn ffn;
  std::vector<Mixer> mixers;  ///< [num_hidden_layers]

  /// Throws: input for a config that is not valid, or an option that no part has or allows.
  explicit Parts(const Config& config);

  const Mixer& mixer(std::int64_t layer) const { return mixers[static_cast<std::size_t>(layer)]; }
};

/// An option of a part, for `info` and the docs.
struct PartOption {
  std::string_view key;  ///< of config.json: norm_options, ffn_options, mixer_options, head_options
  std::string_view part;  ///< its row
  std::string name, value, allowed, help;
};
std::vector<PartOption> part_options();

/// The part's result for x [T, H], by a fast way where the tensor type has one.
template <class A, class P>
A apply(const P& part, const A& x, const Context<A>& c) {
  if (auto y = Fast<A>::apply(part, x, c)) return *y;
  return part.apply(x, c);
}
template <class A, class... Types>
A apply(const std::variant<Types...>& part, const A& x, const Context<A>& c) {
  return std::visit([&](const auto& p) { return apply(p, x, c); }, part);
}

/// Adds the weights of a part.
template <class... Types>
void add_weights(const std::variant<Types...>& part, const Specs& specs, const Config& config) {
  std::visit([&](const auto& p) { p.weights(specs, config); }, part);
}

/// Multiply-adds, counted as two, of its products for one row of a text of `length` rows.
template <class... Types>
double operations(const std::variant<Types...>& part, const Config& config, std::int64_t length) {
  return std::visit(
      [&](const auto& p) {
        return p.operations(config) + static_cast<double>(length) * p.pair_operations(config);
      },
      part);
}

}  // namespace fnet
