#pragma once

#include <fmt/format.h>

#include <set>
#include <string>
#include <string_view>
#include <type_traits>
#include <variant>

#include "core/error.h"
#include "model/allowed.h"

// How a part gets the options that stand in a config.
namespace fnet {

/// A value of config.json as an option's own type; a whole number is a number too.
template <class T>
bool take_option(const PartOptions::mapped_type& from, T& to) {
  if constexpr (std::is_same_v<T, double>) {
    if (const auto* whole = std::get_if<std::int64_t>(&from)) {
      to = static_cast<double>(*whole);
      return true;
    }
  }
  const T* value = std::get_if<T>(&from);
  if (value != nullptr) to = *value;
  return value != nullptr;
}

template <class T>
constexpr std::string_view option_type() {
  if constexpr (std::is_same_v<T, bool>) return "true or false";
  if constexpr (std::is_same_v<T, std::int64_t>) return "a whole number";
  if constexpr (std::is_same_v<T, double>) return "a number";
  return "a word";
}

/// Sets a part's options from those under `key` of the config; what it has is added to `known`.
/// Throws: input for a value that it does not allow.
void set_options(auto& part, std::string_view key, const PartOptions& options,
                 std::set<std::string>& known) {
  part.options([&](std::string_view name, auto& member, const Allowed& allowed, std::string_view) {
    known.emplace(name);
    const auto found = options.find(std::string(name));
    if (found == options.end()) return;
    using Type = std::decay_t<decltype(member)>;
    const std::string place = fmt::format("{}.{}", key, name);
    require(
        take_option(found->second, member), Kind::input, "config: {}: expected {}, found '{}'",
        place, option_type<Type>(),
        printable(std::visit([](const auto& v) { return fmt::format("{}", v); }, found->second)));
    if (!allowed.names.empty() || allowed.low < allowed.high) check_value(place, member, allowed);
  });
}

/// Throws: input where the config has an option under `key` that none of `parts` has.
void check_known_options(std::string_view key, std::string_view parts, const PartOptions& options,
                         const std::set<std::string>& known);

}  // namespace fnet
