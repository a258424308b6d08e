#pragma once

#include <charconv>
#include <optional>
#include <string_view>
#include <system_error>

namespace fnet {

/// The number that a text is, and nothing else; nothing where it is none, or too large.
template <class Number>
std::optional<Number> to_number(std::string_view text) noexcept {
  Number value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return {};
  return value;
}

}  // namespace fnet
