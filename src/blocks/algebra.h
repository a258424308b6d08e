#pragma once

#include <concepts>
#include <cstdint>
#include <optional>
#include <vector>

#include "core/bags.h"
#include "core/rows.h"

namespace fnet {

/// Dropout of a tensor type: nothing, unless training specializes it.
template <class A>
struct Dropout {
  static constexpr bool active = false;  ///< whether this is training

  /// `p`: the share that becomes 0; `place`: where in the model, which decides the mask.
  A operator()(const A& x, double, std::uint64_t) const { return x; }
  /// The same for whole texts: all rows of a text are dropped together.
  A path(const A& x, const Rows&, double, std::uint64_t) const { return x; }
};

/// Dropout at one place of the model, for what is dropped inside a function of the algebra.
template <class A>
struct DropoutAt {
  Dropout<A> dropout;
  double p = 0;
  std::uint64_t place = 0;
};

/// What a tensor type needs so that the formulas of blocks/ can be written over it: found beside
/// the type, in its own namespace. Shapes: [T, H] rows, [T, 1] a number a row, [H] a vector; + - *
/// repeat [T, 1] and [H] to [T, H].
template <class A>
concept Algebra = requires(const A& x, double number, std::int64_t count,
                           const std::vector<A>& list, const Rows& rows, const typename A::Ids& ids,
                           const DropoutAt<A>& drop, const Bags& bags) {
  { x + x } -> std::same_as<A>;
  { x - x } -> std::same_as<A>;
  { x* x } -> std::same_as<A>;
  { x / x } -> std::same_as<A>;
  { x + number } -> std::same_as<A>;
  { x* number } -> std::same_as<A>;
  { rsqrt(x) } -> std::same_as<A>;
  { log(x) } -> std::same_as<A>;
  { tanh(x) } -> std::same_as<A>;
  { sigmoid(x) } -> std::same_as<A>;
  { relu(x) } -> std::same_as<A>;
  { silu(x) } -> std::same_as<A>;
  { gelu(x) } -> std::same_as<A>;
  { gelu_tanh(x) } -> std::same_as<A>;
  { mean_last(x) } -> std::same_as<A>;               // the mean of each row: [T, H] → [T, 1]
  { softmax_last(x) } -> std::same_as<A>;            // of each row
  { columns(x, count, count) } -> std::same_as<A>;   // from a first one, so many
  { concat(list) } -> std::same_as<A>;               // columns of all, in order
  { channel_shuffle(x, count) } -> std::same_as<A>;  // columns [g, H/g] → [H/g, g]
  { dense(x, x) } -> std::same_as<A>;                // x Wᵀ: [T, K], [N, K] → [T, N]
  { dense(x, x, x) } -> std::same_as<A>;             // x Wᵀ + b, b [N]
  { lookup(x, ids) } -> std::same_as<A>;             // rows of a table: [V, H], [T] → [T, H]
  { dense_table(x, x, x) } -> std::same_as<A>;       // dense() of a table that lookup reads
  // Of each text by itself: blocks/mixer/ has a formula for each.
  { fourier_mix(x, rows, true) } -> std::same_as<A>;
  { hartley_mix(x, rows, true) } -> std::same_as<A>;
  { attention(x, x, x, rows, count, drop) } -> std::same_as<A>;
  { mix_rows(x, x, rows) } -> std::same_as<A>;
  { filter_spectrum(x, rows, x, x) } -> std::same_as<A>;
  { zero_padding(x, rows) } -> std::same_as<A>;  // rows past a text's tokens become 0
  { first_rows(x, rows) } -> std::same_as<A>;    // one row a text: [T, H] → [B, H]
  { last_rows(x, rows) } -> std::same_as<A>;
  { mean_rows(x, rows) } -> std::same_as<A>;
  { max_rows(x, rows) } -> std::same_as<A>;
  { sum_rows(x, rows) } -> std::same_as<A>;
  { repeat_rows(x, rows) } -> std::same_as<A>;    // and back: [B, H] → [T, H]
  { cumsum_rows(x, rows) } -> std::same_as<A>;    // each row plus those of its text before it
  { softmax_rows(x, rows) } -> std::same_as<A>;   // of each column over a text; padding is 0
  { batch_mean(x, rows) } -> std::same_as<A>;     // over all texts' rows: [T, H] → [1, H]
  { embedding_bag(x, bags) } -> std::same_as<A>;  // sums of rows of a table: [F, C] → [B, C]
  track(x, x, number);  // in training: a buffer ← number · buffer + (1 − number) · x
};

template <class A>
struct Context;

/// Faster ways through a part's formula for a tensor type: none, unless training specializes it.
/// They are optimisations and must equal the formula.
template <class A>
struct Fast {
  template <class Part>
  static std::optional<A> apply(const Part&, const A&, const Context<A>&) {
    return {};
  }
};

}  // namespace fnet
