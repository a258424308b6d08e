#pragma once

#include "blocks/weights.h"
#include "core/rows.h"
#include "fnet/config.h"

namespace fnet {

// One vector a text, [B, H], from its rows [T, H]; padding is never read.

/// The first row, [CLS].
struct ClsPooling {
  template <class A>
  static A apply(const A& x, const Rows& rows, const Weights<A>&) {
    return first_rows(x, rows);
  }
};

/// tanh(W x[0] + b). Source: Devlin et al. 2019; Hugging Face's `pooler`.
struct PoolerPooling {
  static void weights(Specs specs, const Config& config) {
    specs.linear("pooler.dense", config.hidden_size, config.hidden_size);
  }

  template <class A>
  static A apply(const A& x, const Rows& rows, const Weights<A>& w) {
    return tanh(dense(first_rows(x, rows), w["pooler.dense.weight"], w["pooler.dense.bias"]));
  }
};

/// The mean of a text's rows.
struct MeanPooling {
  template <class A>
  static A apply(const A& x, const Rows& rows, const Weights<A>&) {
    return mean_rows(x, rows);
  }
};

/// The largest value of each column over a text's rows.
struct MaxPooling {
  template <class A>
  static A apply(const A& x, const Rows& rows, const Weights<A>&) {
    return max_rows(x, rows);
  }
};

/// The pooling of kinds.def by its name in config.json. `w` stands where the encoder's weights are.
template <class A>
A pool(std::string_view kind, const A& x, const Rows& rows, const Weights<A>& w) {
#define FNET_POOLING(name, Type, help) \
  if (kind == #name) return Type::apply(x, rows, w);
#include "model/kinds.def"
  fail(Kind::internal, "pooling '{}' is not in the table", kind);
}

}  // namespace fnet
