#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "blocks/activation.h"
#include "blocks/algebra.h"
#include "blocks/weights.h"
#include "core/hash.h"
#include "core/rows.h"
#include "fnet/config.h"
#include "model/allowed.h"

namespace fnet {

/// What every formula gets beside its input.
template <class A>
struct Context {
  Weights<A> w;          ///< the part's own, at its place
  const Config& config;  ///< valid
  const Rows& rows;      ///< where the texts lie in x [T, H]
  Activation activation = {};
  std::int64_t layer = 0;  ///< from 0; −1 before the first, num_hidden_layers after the last
  Dropout<A> dropout = {};

  /// The same for another place below this one.
  Context under(std::string_view place) const {
    Context inner = *this;
    inner.w = w.under(place);
    return inner;
  }

  /// Epsilon of the norms here.
  double eps() const { return layer < 0 ? config.embedding_eps() : config.layer_norm_eps; }

  /// The model's activation.
  A activate(const A& x) const { return apply_activation(activation, x); }

  bool training() const { return dropout.active; }

  /// Dropout in training. `name`: which one of this part, so that no two share a mask.
  A drop(const A& x, double p, std::string_view name) const {
    return dropout(x, p, dropout_at(p, name).place);
  }

  /// The same for what makes x inside a function of the algebra.
  DropoutAt<A> dropout_at(double p, std::string_view name) const {
    return {dropout, p, fnv1a(name, fnv1a(w.place()))};
  }

  /// Dropout inside a feed-forward, before its last map, where the config has it there.
  A drop_inner(const A& x) const { return drop(x, config.inner_dropout(), "intermediate.dropout"); }

  /// Stochastic depth: a branch of this layer, dropped for some texts in training.
  /// Source: Huang et al. 2016.
  A drop_path(const A& x, std::string_view name) const {
    return dropout.path(x, rows, config.drop_path(layer), fnv1a(name, fnv1a(w.place())));
  }
};

/// What all parts have unless they say otherwise. A part is a struct whose data members are its
/// options; it declares its weights and its formula:
///   void weights(const Specs&, const Config&) const;
///   template <Algebra A> A apply(const A& x, const Context<A>&) const;
struct Part {
  /// Calls option(name, member, Allowed, help) for each option.
  template <class Option>
  void options(Option&&) {}

  void weights(const Specs&, const Config&) const {}

  /// Throws input where its options do not fit the config.
  void check(const Config&) const {}

  /// Multiply-adds, counted as two, of its products for one row.
  double operations(const Config&) const { return 0; }

  /// The same for one row and one row of its text, where every row is multiplied with all of them.
  double pair_operations(const Config&) const { return 0; }
};

/// x Wᵀ, plus the bias where the linear map `name` has one.
template <class A>
A linear(const A& x, const Context<A>& c, const std::string& name) {
  const A& weight = c.w[name + ".weight"];
  return c.w.has(name + ".bias") ? dense(x, weight, c.w[name + ".bias"]) : dense(x, weight);
}

/// 2 · in · out: what a linear map costs for one row.
inline double linear_operations(std::int64_t in, std::int64_t out) {
  return 2.0 * static_cast<double>(in) * static_cast<double>(out);
}

}  // namespace fnet
