#pragma once

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "fnet/config.h"
#include "model/kinds.h"

namespace fnet {

/// What a config key or an option may hold, beyond its type.
struct Allowed {
  double low = 0, high = 0;  // numbers
  std::vector<std::string_view> names;

  static Allowed range(double low, double high) { return {low, high, {}}; }
  static Allowed any() { return {}; }
  static Allowed one_of(std::vector<std::string_view> names) { return {0, 0, std::move(names)}; }
  static Allowed one_of(std::span<const KindRow> rows) {
    Allowed allowed;
    for (const KindRow& row : rows) allowed.names.push_back(row.name);
    return allowed;
  }

  std::string text() const {
    if (!names.empty()) return fmt::format("{}", fmt::join(names, ", "));
    return low < high ? fmt::format("{} to {}", low, high) : std::string("any");
  }
};

/// Throws input, naming the key, where its value is not allowed.
void check_value(std::string_view key, double value, const Allowed& allowed);
void check_value(std::string_view key, std::int64_t value, const Allowed& allowed);
void check_value(std::string_view key, bool value, const Allowed& allowed);
void check_value(std::string_view key, const std::string& value, const Allowed& allowed);
void check_value(std::string_view key, const std::vector<std::string>& value,
                 const Allowed& allowed);
void check_value(std::string_view key, const PartOptions& value, const Allowed& allowed);

}  // namespace fnet
