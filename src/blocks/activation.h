#pragma once

#include <cstdint>

#include "blocks/algebra.h"
#include "core/error.h"

namespace fnet {

/// The rows of the activations' table.
enum class Activation : std::uint8_t {
#define FNET_ACTIVATION(name, function, help) name,
#include "model/kinds.def"
};

/// act(x), element by element.
template <class A>
A apply_activation(Activation activation, const A& x) {
  switch (activation) {
#define FNET_ACTIVATION(name, function, help) \
  case Activation::name:                      \
    return function(x);
#include "model/kinds.def"
  }
  fail(Kind::internal, "activation {} is not in the table", static_cast<int>(activation));
}

}  // namespace fnet
