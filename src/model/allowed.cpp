#include "model/allowed.h"

#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "model/other_names.h"

namespace fnet {

void check_value(std::string_view key, double value, const Allowed& allowed) {
  require(std::isfinite(value) && value >= allowed.low && value <= allowed.high, Kind::input,
          "config: {}: expected {}, found {}", key, allowed.text(), value);
}

void check_value(std::string_view key, std::int64_t value, const Allowed& allowed) {
  check_value(key, static_cast<double>(value), allowed);
}

void check_value(std::string_view, bool, const Allowed&) {}

void check_value(std::string_view key, const std::string& value, const Allowed& allowed) {
  if (allowed.names.empty()) return;
  if (std::ranges::find(allowed.names, value) != allowed.names.end()) return;
  if (const OtherName* other = other_name(key, value)) {
    fail(Kind::input, "config: {}: '{}' {}", key, value,
         other->settings.empty() ? other->reason : fmt::format("is written {}", other->settings));
  }
  const std::string near = nearest(value, allowed.names);
  fail(Kind::input, "config: {}: expected one of {}, found '{}'{}", key, allowed.text(),
       printable(value), near.empty() ? "" : "; did you mean '" + near + "'?");
}

void check_value(std::string_view key, const std::vector<std::string>& value,
                 const Allowed& allowed) {
  for (const std::string& item : value) check_value(key, item, allowed);
}

// The parts that have the options check them.
void check_value(std::string_view, const PartOptions&, const Allowed&) {}

}  // namespace fnet
