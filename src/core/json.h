#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <string_view>

namespace fnet {

struct JsonLimits {
  std::size_t max_depth = 16;
  std::size_t max_values = 1'000'000;
  std::uint64_t max_bytes = std::uint64_t{64} << 20;
};

/// Strict JSON: valid UTF-8 without a byte order mark, one value and nothing after it, no duplicate
/// key (also not by way of `\u` escapes), integers that fit 64 bits exactly, finite numbers, within
/// the limits. `source` names the text in messages.
///
/// Throws: input, as `source: line 3, column 7: key.path[2]: expected …, found …`.
nlohmann::json parse_json(std::string_view text, std::string_view source,
                          const JsonLimits& limits = {});

/// The same for a file.
nlohmann::json read_json_file(const std::filesystem::path& path, const JsonLimits& limits = {});

/// The same with the keys of objects in the file's order.
nlohmann::ordered_json read_ordered_json_file(const std::filesystem::path& path,
                                              const JsonLimits& limits = {});

/// The value as T, one of std::string, bool, std::int64_t and double, without conversions other
/// than integer to double. Throws: input, as `source: place: expected an integer, found "12"`.
template <class T>
T json_cast(const nlohmann::json& value, std::string_view source, std::string_view place);

}  // namespace fnet
