#pragma once

#include <string_view>

#include "core/error.h"

namespace fnet {

/// An activation of kinds.def by its name in config.json, element by element.
template <class A>
A activation(std::string_view name, const A& x) {
#define FNET_ACTIVATION(row, function, help) \
  if (name == #row) return function(x);
#include "model/kinds.def"
  fail(Kind::internal, "hidden_act '{}' is not in the table", name);
}

}  // namespace fnet
