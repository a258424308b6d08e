#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "core/error.h"
#include "core/json.h"
#include "model/part_options_json.h"

namespace fnet {

/// The value of an option as JSON.
template <class T>
nlohmann::ordered_json json_of(const T& value) {
  if constexpr (std::is_same_v<T, std::filesystem::path>)
    return value.string();
  else if constexpr (std::is_same_v<T, PartOptions>)
    return json_of_options(value);
  else
    return value;
}

/// The value of an option from JSON. Throws: input, `source: place: expected …, found …`.
template <class T>
void assign(const nlohmann::json& json, const std::string& source, std::string_view place,
            T& value) {
  if constexpr (std::is_same_v<T, std::vector<std::string>> ||
                std::is_same_v<T, std::vector<std::int64_t>>) {
    require(json.is_array(), Kind::input, "{}: {}: expected a list, found {}", source, place,
            json.type_name());
    value.clear();
    for (const auto& one : json)
      value.push_back(json_cast<typename T::value_type>(one, source, place));
  } else if constexpr (std::is_integral_v<T> && !std::is_same_v<T, bool>) {
    const auto number = json_cast<std::int64_t>(json, source, place);
    require(std::in_range<T>(number), Kind::input, "{}: {}: expected a smaller number, found {}",
            source, place, number);
    value = static_cast<T>(number);
  } else if constexpr (std::is_same_v<T, std::filesystem::path>) {
    value = json_cast<std::string>(json, source, place);
  } else if constexpr (std::is_same_v<T, PartOptions>) {
    value = options_of_json(json, source, place);
  } else {
    value = json_cast<T>(json, source, place);
  }
}

}  // namespace fnet
