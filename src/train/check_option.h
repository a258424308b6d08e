#pragma once

#include <algorithm>
#include <string>
#include <string_view>
#include <type_traits>

#include "core/error.h"
#include "model/allowed.h"

namespace fnet {

/// Throws usage, naming the option, where its value is not allowed.
template <class T>
void check_option(std::string_view name, const T& value, const Allowed& allowed) {
  if constexpr (std::is_same_v<T, std::string>) {
    require(allowed.names.empty() || std::ranges::count(allowed.names, value) > 0, Kind::usage,
            "{}: expected {}, found '{}'", name, allowed.text(), printable(value));
  } else {
    const auto number = static_cast<double>(value);
    require(allowed.low == allowed.high || (number >= allowed.low && number <= allowed.high),
            Kind::usage, "{}: expected {}, found {}", name, allowed.text(), value);
  }
}

}  // namespace fnet
