#pragma once

#include <nlohmann/json.hpp>
#include <string_view>

#include "fnet/config.h"

namespace fnet {

/// An object of options as JSON has it, and back. Throws: input, `source: key: expected …, found
/// …`.
nlohmann::ordered_json json_of_options(const PartOptions& options);
PartOptions options_of_json(const nlohmann::json& json, std::string_view source,
                            std::string_view key);

}  // namespace fnet
