#include "fnet/box.h"

#include <fmt/ranges.h>

#include <array>
#include <cstdlib>
#include <string>
#include <string_view>
#include <system_error>

#include "core/error.h"

namespace fnet {
namespace {

constexpr const char* kModel = "fnet/models/fnet-mini-en";

bool has_model(const std::filesystem::path& directory) {
  std::error_code error;
  return std::filesystem::exists(directory / "config.json", error);
}

/// Where it may be, the likeliest first.
std::array<std::filesystem::path, 2> places() {
  std::error_code error;
  const std::filesystem::path program = std::filesystem::read_symlink("/proc/self/exe", error);
  return {program.parent_path().parent_path() / "share" / kModel,
          std::filesystem::path(FNET_DATA_FOLDER) / kModel};
}

/// What $FNET_BOX says; empty where it says nothing.
std::string_view named() {
  const char* value = std::getenv("FNET_BOX");
  return value != nullptr ? value : "";
}

}  // namespace

bool box_declined() { return named() == "none"; }

std::optional<std::filesystem::path> find_box() {
  if (box_declined()) return {};
  if (!named().empty()) {
    require(has_model(named()), Kind::input,
            "FNET_BOX: expected a directory with a config.json, found none in {}",
            printable(named()));
    return named();
  }
  for (const std::filesystem::path& place : places()) {
    if (has_model(place)) return place;
  }
  return {};
}

std::filesystem::path box_directory() {
  if (const auto found = find_box()) return *found;
  const auto looked = places();
  fail(Kind::input,
       "box: expected the model fnet-mini-en in {} or {}, found none; it comes with the program "
       "and its installation, and FNET_BOX may name its directory",
       looked[0].string(), looked[1].string());
}

}  // namespace fnet
