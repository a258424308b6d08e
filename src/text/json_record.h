#pragma once

#include <nlohmann/json_fwd.hpp>

#include "text/data.h"

namespace fnet {

/// Adds the members of a JSON object to a record as fields, but for null. The members of an object
/// in it, or of a list of objects, are fields `key.member` besides.
void add_fields(const nlohmann::json& object, Record& record);

}  // namespace fnet
