#pragma once

#include <string_view>

namespace fnet {

/// A name that other libraries use, most of them the Keras seed's, for a value of a config key or
/// for a task.
struct OtherName {
  std::string_view key, name;
  std::string_view settings;  ///< what it is here, `key=value` with spaces between; empty: nothing
  std::string_view reason;    ///< where it is nothing: why, and what to use
};

/// The row of this name, or null.
const OtherName* other_name(std::string_view key, std::string_view name);

/// Our name of another library's key, or the same key.
std::string_view our_key(std::string_view key);

/// Its name in the Keras seed, or empty.
std::string_view seed_key(std::string_view key);

}  // namespace fnet
