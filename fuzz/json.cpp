#include "core/json.h"

#include <nlohmann/json.hpp>

#include "input.h"

/// What parses must be the value that nlohmann's own parser makes of it, and survive a round trip.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text = fnet::input_text(data, size);
  fnet::may_refuse([&] {
    const nlohmann::json value = fnet::parse_json(text, "input");
    if (value != nlohmann::json::parse(text)) abort();
    if (value != fnet::parse_json(value.dump(), "dump")) abort();
  });
  return 0;
}
